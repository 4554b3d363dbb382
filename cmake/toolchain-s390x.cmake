# SPDX-License-Identifier: MIT
# A processor that is big endian.
set(CMAKE_SYSTEM_PROCESSOR s390x)
set(NIDO_ARCH s390x)
set(NIDO_TRIPLET s390x-linux-gnu)
set(NIDO_QEMU_NAME s390x)
include(${CMAKE_CURRENT_LIST_DIR}/toolchain-qemu.cmake)
