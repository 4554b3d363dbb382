# SPDX-License-Identifier: MIT
# The C library of Debian 11.
set(NIDO_SYSROOT glibc-2.31)
set(NIDO_TRIPLET x86_64-linux-gnu)
set(NIDO_LOADER ld-linux-x86-64.so.2)
set(CMAKE_C_COMPILER gcc)
include(${CMAKE_CURRENT_LIST_DIR}/toolchain-here.cmake)
