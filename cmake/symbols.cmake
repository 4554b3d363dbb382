# The shared library exports the symbols of symbols.txt and no other: -fvisibility=hidden does not
# reach the assembler objects.
file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/symbols.txt nido_symbols)
set(nido_map ${CMAKE_CURRENT_BINARY_DIR}/nido.map)
if(APPLE)
    list(JOIN nido_symbols "\n_" nido_symbols)
    file(CONFIGURE OUTPUT ${nido_map} CONTENT "_@nido_symbols@\n")
    set(nido_map_flag -Wl,-exported_symbols_list,${nido_map})
else()
    list(JOIN nido_symbols ";\n        " nido_symbols)
    file(CONFIGURE OUTPUT ${nido_map} CONTENT
        "NIDO_${NIDO_ABI} {\n    global:\n        @nido_symbols@;\n    local:\n        *;\n};\n")
    set(nido_map_flag -Wl,--version-script=${nido_map})
endif()

set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/symbols.txt)
set_property(TARGET nido APPEND PROPERTY LINK_DEPENDS ${nido_map})
target_link_options(nido PRIVATE ${nido_map_flag})
