# SPDX-License-Identifier: MIT
# For Linux on another processor: built on this machine and run here under qemu-user. The toolchain file of each
# says which, in Debian's words and in qemu's: NIDO_ARCH, NIDO_TRIPLET, NIDO_QEMU_NAME. The libraries come from
# build/<preset>/sysroot, which `./dev preset` fills.
set(CMAKE_SYSTEM_NAME Linux)
cmake_path(SET CMAKE_SYSROOT NORMALIZE ${CMAKE_CURRENT_LIST_DIR}/../build/${NIDO_ARCH}/sysroot)
set(CMAKE_C_COMPILER ${NIDO_TRIPLET}-gcc)
set(CMAKE_CXX_COMPILER ${NIDO_TRIPLET}-g++)
find_program(NIDO_QEMU qemu-${NIDO_QEMU_NAME} REQUIRED)
# A process that one of several threads forks inherits glib's slices of memory locked, if another thread was
# just taking one, and waits for ever: qemu-user covers malloc's locks only.
find_program(NIDO_ENV env REQUIRED)
set(CMAKE_CROSSCOMPILING_EMULATOR ${NIDO_ENV} G_SLICE=always-malloc ${NIDO_QEMU} -L ${CMAKE_SYSROOT})
include(${CMAKE_CURRENT_LIST_DIR}/toolchain-sysroot.cmake)
