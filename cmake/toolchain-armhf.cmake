# SPDX-License-Identifier: MIT
# 32-bit ARM with floating point, whose frames have no CFI.
set(CMAKE_SYSTEM_PROCESSOR arm)
set(NIDO_ARCH armhf)
set(NIDO_TRIPLET arm-linux-gnueabihf)
set(NIDO_QEMU_NAME arm)
include(${CMAKE_CURRENT_LIST_DIR}/toolchain-qemu.cmake)
