# SPDX-License-Identifier: MIT
# Boost.Context's three assembler functions become a part of libnido under private names, so that
# its users need no Boost, and may use another one. Everything here comes from the static archive:
# Boost's own CMake files do not work in a C-only project, and its shared library needs libstdc++.
find_library(NIDO_FCONTEXT_LIBRARY NAMES libboost_context.a
    DOC "The static library of Boost.Context, 1.61 or later")
if(EXISTS "${NIDO_FCONTEXT_LIBRARY}" AND NOT NIDO_FCONTEXT_LIBRARY MATCHES "\\.a$")
    message(FATAL_ERROR "nido: NIDO_FCONTEXT_LIBRARY is ${NIDO_FCONTEXT_LIBRARY}, no static library (.a): a shared one "
        "has nothing that could be folded in.")
endif()
if(NOT EXISTS "${NIDO_FCONTEXT_LIBRARY}")
    message(FATAL_ERROR "nido needs the static library of Boost.Context, libboost_context.a: install "
        "libboost-context-dev (or libboost-context1.81-dev), or set NIDO_FCONTEXT_LIBRARY to its path.")
endif()

set(NIDO_FCONTEXT_OBJECT ${CMAKE_CURRENT_BINARY_DIR}/fcontext.o)

function(nido_fcontext_command)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE status ERROR_VARIABLE text)
    if(status)
        message(FATAL_ERROR "nido: cannot fold ${NIDO_FCONTEXT_LIBRARY} in: ${ARGN}\n${text}")
    endif()
endfunction()

# Asks for the symbols, not for the members: these have another name on each architecture.
function(nido_fcontext_fold)
    separate_arguments(flags NATIVE_COMMAND "${CMAKE_C_FLAGS}")
    if(APPLE)
        set(c_prefix "_") # before every name of C's
    endif()
    # Boost's objects may carry the mark of shadow stacks, which they do not switch: it goes.
    if(NIDO_X86_64)
        set(note ${CMAKE_CURRENT_BINARY_DIR}/ibt_note.o)
        nido_fcontext_command(${CMAKE_C_COMPILER} ${flags} -c ${PROJECT_SOURCE_DIR}/src/coro/stack/ibt_note.S -o ${note})
    endif()
    nido_fcontext_command(${CMAKE_C_COMPILER} ${flags} -r -nostdlib -o ${NIDO_FCONTEXT_OBJECT} ${note}
        -Wl,-u,${c_prefix}make_fcontext,-u,${c_prefix}jump_fcontext,-u,${c_prefix}ontop_fcontext ${NIDO_FCONTEXT_LIBRARY})
    nido_fcontext_command(${CMAKE_OBJCOPY} --redefine-sym ${c_prefix}make_fcontext=${c_prefix}nidoi_fctx_make
        --redefine-sym ${c_prefix}jump_fcontext=${c_prefix}nidoi_fctx_jump
        --redefine-sym ${c_prefix}ontop_fcontext=${c_prefix}nidoi_fctx_ontop ${NIDO_FCONTEXT_OBJECT})
endfunction()

# The calling convention changed between versions of Boost: believe a round trip, not a number.
function(nido_fcontext_prove)
    set(program ${CMAKE_CURRENT_BINARY_DIR}/fcontext_check
        ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/fcontext_check.c COMPILE_DEFINITIONS -O2
        LINK_LIBRARIES ${NIDO_FCONTEXT_OBJECT})
    unset(NIDO_FCONTEXT_BUILT CACHE)
    unset(NIDO_FCONTEXT_RAN CACHE)
    if(CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
        try_compile(NIDO_FCONTEXT_BUILT ${program} OUTPUT_VARIABLE text)
        set(NIDO_FCONTEXT_RAN 0)
    else()
        try_run(NIDO_FCONTEXT_RAN NIDO_FCONTEXT_BUILT ${program}
            COMPILE_OUTPUT_VARIABLE text RUN_OUTPUT_VARIABLE bytes)
    endif()
    if(NOT NIDO_FCONTEXT_BUILT OR NOT NIDO_FCONTEXT_RAN EQUAL 0)
        message(FATAL_ERROR "nido: the round trip through ${NIDO_FCONTEXT_LIBRARY} failed "
            "(built: ${NIDO_FCONTEXT_BUILT}, exit status: ${NIDO_FCONTEXT_RAN})\n${text}")
    endif()
    set(NIDO_FCONTEXT_BYTES "${bytes}" CACHE INTERNAL "What a switch leaves on the stack; empty: not known")
endfunction()

if(NOT NIDO_FCONTEXT_PROVEN STREQUAL NIDO_FCONTEXT_LIBRARY OR NOT EXISTS ${NIDO_FCONTEXT_OBJECT} OR
   NOT DEFINED NIDO_FCONTEXT_BYTES)
    message(STATUS "Folding in ${NIDO_FCONTEXT_LIBRARY}")
    nido_fcontext_fold()
    nido_fcontext_prove()
    set(NIDO_FCONTEXT_PROVEN ${NIDO_FCONTEXT_LIBRARY} CACHE INTERNAL "The archive that passed the round trip")
endif()
if(NIDO_FCONTEXT_BYTES)
    set_source_files_properties(src/coro/run/layout.c PROPERTIES COMPILE_DEFINITIONS
        NIDOI_SAVED_BYTES=${NIDO_FCONTEXT_BYTES})
endif()
set_source_files_properties(${NIDO_FCONTEXT_OBJECT} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
