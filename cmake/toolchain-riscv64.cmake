# SPDX-License-Identifier: MIT
# RISC-V, whose compilers describe no frames by default. The libraries are those of Debian 13: 12 has none for it.
set(CMAKE_SYSTEM_PROCESSOR riscv64)
set(NIDO_ARCH riscv64)
set(NIDO_TRIPLET riscv64-linux-gnu)
set(NIDO_QEMU_NAME riscv64)
include(${CMAKE_CURRENT_LIST_DIR}/toolchain-qemu.cmake)
