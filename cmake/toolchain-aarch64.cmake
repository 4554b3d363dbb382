# For Linux on arm64, built on another machine and run there under qemu-user. The libraries come from
# build/arm64/sysroot, which `./dev preset arm64` fills.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
cmake_path(SET CMAKE_SYSROOT NORMALIZE ${CMAKE_CURRENT_LIST_DIR}/../build/arm64/sysroot)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
find_program(NIDO_QEMU qemu-aarch64 REQUIRED)
# A process that one of several threads forks inherits glib's slices of memory locked, if another thread was
# just taking one, and waits for ever: qemu-user covers malloc's locks only.
find_program(NIDO_ENV env REQUIRED)
set(CMAKE_CROSSCOMPILING_EMULATOR ${NIDO_ENV} G_SLICE=always-malloc ${NIDO_QEMU} -L ${CMAKE_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${CMAKE_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${CMAKE_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig)
