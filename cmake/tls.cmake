# SPDX-License-Identifier: MIT
# nido::tls, over OpenSSL: a library beside nido, which itself knows nothing of it.
add_library(nido_tls_objects OBJECT
    src/tls/context.c
    src/tls/error.c
    src/tls/handshake.c
    src/tls/memory.c
    src/tls/pem.c
    src/tls/sessions.c
    src/tls/transport.c
    src/tls/wire.c
)
set_target_properties(nido_tls_objects PROPERTIES POSITION_INDEPENDENT_CODE ON)
target_include_directories(nido_tls_objects PRIVATE include src)
target_link_libraries(nido_tls_objects PRIVATE OpenSSL::SSL)
nido_flags(nido_tls_objects)
nido_names_files(nido_tls_objects)

function(nido_tls_library target kind name library)
    add_library(${target} ${kind} $<TARGET_OBJECTS:nido_tls_objects>)
    add_library(nido::${name} ALIAS ${target})
    set_target_properties(${target} PROPERTIES OUTPUT_NAME nido_tls EXPORT_NAME ${name} LINKER_LANGUAGE C)
    target_link_libraries(${target} PUBLIC ${library} PRIVATE OpenSSL::SSL Threads::Threads)
    nido_link_flags(${target})
endfunction()

if(NIDO_BUILD_SHARED)
    nido_tls_library(nido_tls SHARED tls nido)
    # It finds nido beside it, where a program has no path to that but through it.
    set_target_properties(nido_tls PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${NIDO_ABI}
        # From the beginning: what an install rewrites keeps the length of the build's path.
        BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH $<IF:$<BOOL:${APPLE}>,@loader_path,$ORIGIN>)
    nido_exports(nido_tls ${CMAKE_CURRENT_LIST_DIR}/symbols_tls.txt)
endif()
if(NIDO_BUILD_STATIC)
    nido_tls_library(nido_tls_static STATIC tls_static nido_static)
endif()
if(NOT NIDO_BUILD_SHARED)
    add_library(nido::tls ALIAS nido_tls_static)
endif()
