# SPDX-License-Identifier: MIT
# musl instead of glibc, by musl-gcc, which looks in none of the system's folders. Boost's three functions know no
# C library, so that they are taken from there all the same. Without tables for unwinding, as some build for
# embedded systems.
set(CMAKE_C_COMPILER musl-gcc)
set(CMAKE_C_FLAGS_INIT -fno-asynchronous-unwind-tables)
file(GLOB nido_archives /usr/lib/*/libboost_context.a)
set(NIDO_FCONTEXT_LIBRARY ${nido_archives} CACHE FILEPATH "")
set(ENV{PKG_CONFIG_LIBDIR} ${CMAKE_BINARY_DIR}/nothing)
