# SPDX-License-Identifier: MIT
# What reads debug information for the lines of stacks: src/debug/symbols_<NIDO_SYMBOLS>.c. With libdw, programs that
# are linked with the static library need it too.
set(NIDO_SYMBOLS none CACHE STRING "What reads debug information: none or libdw (of elfutils)")
set_property(CACHE NIDO_SYMBOLS PROPERTY STRINGS none libdw)

if(NOT NIDO_SYMBOLS MATCHES "^(none|libdw)$")
    message(FATAL_ERROR "nido: NIDO_SYMBOLS is none or libdw, not '${NIDO_SYMBOLS}'.")
endif()
if(NIDO_SYMBOLS STREQUAL "libdw")
    find_library(NIDO_DW_LIBRARY dw DOC "elfutils' libdw")
    find_path(NIDO_DW_INCLUDE elfutils/libdwfl.h)
    if(NOT NIDO_DW_LIBRARY OR NOT NIDO_DW_INCLUDE)
        message(FATAL_ERROR "nido: NIDO_SYMBOLS=libdw needs libdw: install libdw-dev.")
    endif()
    set(nido_pc_symbols " -ldw")
endif()

function(nido_symbols_source target)
    if(NIDO_SYMBOLS STREQUAL "libdw")
        target_include_directories(${target} SYSTEM PRIVATE ${NIDO_DW_INCLUDE})
        target_link_libraries(${target} PRIVATE dw)
    endif()
endfunction()
