# SPDX-License-Identifier: MIT
# 64-bit ARM.
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(NIDO_ARCH arm64)
set(NIDO_TRIPLET aarch64-linux-gnu)
set(NIDO_QEMU_NAME aarch64)
include(${CMAKE_CURRENT_LIST_DIR}/toolchain-qemu.cmake)
