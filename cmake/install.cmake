# SPDX-License-Identifier: MIT
if(NIDO_FOREIGN_KQUEUE)
    install(CODE "message(FATAL_ERROR \"nido: this build stands on a kqueue for tests (${NIDO_KQUEUE}) and \
is not to be installed; configure with -DNIDO_BACKEND=epoll.\")")
    return()
endif()

include(CMakePackageConfigHelpers)

set(nido_config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/nido)

set(nido_targets)
set(nido_test_targets)
foreach(target IN ITEMS nido nido_static)
    if(TARGET ${target})
        list(APPEND nido_targets ${target})
    endif()
endforeach()
foreach(target IN ITEMS nido_test nido_test_static)
    if(TARGET ${target})
        list(APPEND nido_test_targets ${target})
    endif()
endforeach()
install(TARGETS ${nido_targets} ${nido_test_targets} EXPORT nidoTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT dev
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev FILES_MATCHING PATTERN "*.h"
    PATTERN tls.h EXCLUDE) # nido::tls has it
if(TARGET nido_locks)
    install(TARGETS nido_locks EXPORT nidoTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
endif()
if(NIDO_BUILD_TLS)
    set(nido_tls_targets)
    foreach(target IN ITEMS nido_tls nido_tls_static)
        if(TARGET ${target})
            list(APPEND nido_tls_targets ${target})
        endif()
    endforeach()
    install(TARGETS ${nido_tls_targets} EXPORT nidoTlsTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT tls NAMELINK_COMPONENT dev
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
    install(FILES include/nido/tls.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/nido COMPONENT dev)
    install(EXPORT nidoTlsTargets NAMESPACE nido:: DESTINATION ${nido_config_dir} COMPONENT dev)
endif()
install(EXPORT nidoTargets NAMESPACE nido:: DESTINATION ${nido_config_dir} COMPONENT dev)

configure_package_config_file(cmake/nidoConfig.cmake.in nidoConfig.cmake
    INSTALL_DESTINATION ${nido_config_dir}
    NO_SET_AND_CHECK_MACRO)
math(EXPR nido_bits "8 * ${CMAKE_SIZEOF_VOID_P}")
configure_file(cmake/nidoConfigVersion.cmake.in nidoConfigVersion.cmake @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/nidoConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/nidoConfigVersion.cmake
    DESTINATION ${nido_config_dir} COMPONENT dev)

# The prefix is told from where the file lies, so that the installed tree may be moved.
set(nido_pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH nido_pc_prefix /prefix/${nido_pc_dir} /prefix)
list(GET nido_test_targets 0 nido_test_archive)
include(CheckCCompilerFlag)
check_c_compiler_flag(-fstack-clash-protection NIDO_HAVE_STACK_CLASH_PROTECTION)
if(NIDO_HAVE_STACK_CLASH_PROTECTION)
    set(nido_pc_stack_clash -fstack-clash-protection)
endif()
# Where there is no shared library, every program links the static one, --static or not.
if(NOT NIDO_BUILD_SHARED)
    set(nido_pc_public " -pthread -ldl${nido_pc_symbols}")
    set(nido_pc_ssl " libssl >= 3.0 libcrypto >= 3.0")
endif()
set(nido_pcs nido nido-test)
if(NIDO_BUILD_TLS)
    list(APPEND nido_pcs nido_tls)
endif()
foreach(name IN LISTS nido_pcs)
    configure_file(cmake/${name}.pc.in ${name}.pc @ONLY)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc DESTINATION ${nido_pc_dir} COMPONENT dev)
endforeach()
# gdb loads a script that is named like the library, from below the folder that it was built for (/usr).
install(FILES tools/gdb/nido-gdb.py tools/gdb/nido_lldb.py tools/gdb/nido_lldb_threads.py
    tools/gdb/nido_printers.py tools/gdb/nido_tasks.py
    DESTINATION ${CMAKE_INSTALL_DATADIR}/nido COMPONENT tools)
if(NIDO_BUILD_SHARED AND NOT APPLE)
    install(FILES tools/gdb/nido-gdb.py COMPONENT tools
        DESTINATION ${CMAKE_INSTALL_DATADIR}/gdb/auto-load/${CMAKE_INSTALL_FULL_LIBDIR}
        RENAME libnido.so.${PROJECT_VERSION}-gdb.py)
endif()
if(NIDO_BUILD_MANUALS)
    find_package(Python3 REQUIRED COMPONENTS Interpreter)
    file(GLOB nido_manual_sources CONFIGURE_DEPENDS docs/manual/* include/nido/*.h include/*.h)
    add_custom_command(OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/manuals/man7/nido.7 DEPENDS ${nido_manual_sources}
        COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/docs/manual/make
            ${CMAKE_CURRENT_SOURCE_DIR}/include ${CMAKE_CURRENT_BINARY_DIR}/manuals)
    add_custom_target(nido_manuals ALL DEPENDS ${CMAKE_CURRENT_BINARY_DIR}/manuals/man7/nido.7)
    install(DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/manuals/man3 ${CMAKE_CURRENT_BINARY_DIR}/manuals/man7
        DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT dev)
endif()
install(DIRECTORY examples/project DESTINATION ${CMAKE_INSTALL_DATADIR}/nido COMPONENT dev)
install(FILES LICENSE NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT dev)

if(PROJECT_IS_TOP_LEVEL)
    add_custom_target(uninstall COMMENT "Removing what the last install has written"
        COMMAND ${CMAKE_COMMAND} -P ${CMAKE_CURRENT_LIST_DIR}/uninstall.cmake)
endif()
