# SPDX-License-Identifier: MIT
# Which kernel interface the reactor stands on: src/reactor/<NIDO_BACKEND>.c. Linux has no kqueue:
# there it is a test double, or libkqueue, and such a build is for tests alone.
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    set(nido_backend_default epoll)
else()
    set(nido_backend_default kqueue)
endif()
set(NIDO_BACKEND ${nido_backend_default} CACHE STRING "The reactor's kernel interface: epoll or kqueue")
set(NIDO_KQUEUE double CACHE STRING "Whose kqueue on Linux: double (of the tests) or system (libkqueue)")
set_property(CACHE NIDO_BACKEND PROPERTY STRINGS epoll kqueue)
set_property(CACHE NIDO_KQUEUE PROPERTY STRINGS double system)

if(NOT NIDO_BACKEND MATCHES "^(epoll|kqueue)$")
    message(FATAL_ERROR "nido: NIDO_BACKEND is epoll or kqueue, not '${NIDO_BACKEND}'.")
endif()
if(NIDO_BACKEND STREQUAL "kqueue" AND CMAKE_SYSTEM_NAME STREQUAL "Linux")
    set(NIDO_FOREIGN_KQUEUE ${NIDO_KQUEUE})
endif()

if(NIDO_FOREIGN_KQUEUE)
    if(NOT NIDO_BUILD_TESTS)
        message(FATAL_ERROR "nido: on Linux the kqueue backend is for tests: NIDO_BUILD_TESTS must be ON.")
    endif()
    set(NIDO_BUILD_SHARED OFF) # it would carry the double along
endif()
if(NIDO_FOREIGN_KQUEUE STREQUAL "double")
    add_library(nido_kqueue STATIC
        tests/kqueue/kqueue.c tests/kqueue/changes.c tests/kqueue/events.c)
    target_include_directories(nido_kqueue PUBLIC tests/kqueue)
    target_link_libraries(nido_kqueue PRIVATE Threads::Threads)
    nido_flags(nido_kqueue)
elseif(NIDO_FOREIGN_KQUEUE STREQUAL "system")
    find_library(NIDO_KQUEUE_LIBRARY kqueue REQUIRED)
    find_path(NIDO_KQUEUE_INCLUDE sys/event.h PATH_SUFFIXES kqueue REQUIRED)
    add_library(nido_kqueue INTERFACE)
    target_include_directories(nido_kqueue SYSTEM INTERFACE ${NIDO_KQUEUE_INCLUDE})
    target_link_libraries(nido_kqueue INTERFACE ${NIDO_KQUEUE_LIBRARY})
elseif(NIDO_FOREIGN_KQUEUE)
    message(FATAL_ERROR "nido: NIDO_KQUEUE is double or system, not '${NIDO_KQUEUE}'.")
endif()

# Gives a target what the chosen backend needs beside the system.
function(nido_backend target)
    if(TARGET nido_kqueue)
        target_link_libraries(${target} PUBLIC nido_kqueue)
    endif()
endfunction()
