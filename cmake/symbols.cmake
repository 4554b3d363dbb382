# SPDX-License-Identifier: MIT
# A shared library exports the symbols of its list and no other: -fvisibility=hidden does not reach the
# assembler objects.
function(nido_exports target list)
    file(STRINGS ${list} symbols)
    set(map ${CMAKE_CURRENT_BINARY_DIR}/${target}.map)
    if(APPLE)
        list(JOIN symbols "\n_" symbols)
        file(CONFIGURE OUTPUT ${map} CONTENT "_@symbols@\n")
        set(flag -Wl,-exported_symbols_list,${map})
    else()
        list(JOIN symbols ";\n        " symbols)
        file(CONFIGURE OUTPUT ${map} CONTENT
            "NIDO_${NIDO_ABI} {\n    global:\n        @symbols@;\n    local:\n        *;\n};\n")
        set(flag -Wl,--version-script=${map})
    endif()
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${list})
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${map})
    target_link_options(${target} PRIVATE ${flag})
endfunction()
