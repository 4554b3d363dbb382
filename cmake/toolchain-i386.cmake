# SPDX-License-Identifier: MIT
# 32 bit, which a kernel for x86-64 runs itself.
set(NIDO_SYSROOT i386)
set(NIDO_TRIPLET i386-linux-gnu)
set(NIDO_LOADER ld-linux.so.2)
set(CMAKE_C_COMPILER i686-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER i686-linux-gnu-g++)
include(${CMAKE_CURRENT_LIST_DIR}/toolchain-here.cmake)
