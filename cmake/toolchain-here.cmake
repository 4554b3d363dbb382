# SPDX-License-Identifier: MIT
# For this kernel and processor with other libraries than this system's, also when the programs run: no cross build
# in the sense of CMake. The toolchain file of each says whose: NIDO_SYSROOT, a folder of build/ that
# `./dev preset` fills, NIDO_TRIPLET, and NIDO_LOADER, the name of its dynamic linker.
cmake_path(SET CMAKE_SYSROOT NORMALIZE ${CMAKE_CURRENT_LIST_DIR}/../build/${NIDO_SYSROOT}/sysroot)
set(CMAKE_LIBRARY_ARCHITECTURE ${NIDO_TRIPLET})
set(CMAKE_SHARED_LINKER_FLAGS_INIT) # a toolchain file is read more than once
set(CMAKE_EXE_LINKER_FLAGS_INIT)
foreach(folder IN ITEMS usr/lib lib)
    set(folder ${CMAKE_SYSROOT}/${folder}/${NIDO_TRIPLET})
    # This system's compiler looks for its start files and libraries at home first, unless it is told.
    string(APPEND CMAKE_SHARED_LINKER_FLAGS_INIT " -B${folder} -L${folder}")
    string(APPEND CMAKE_EXE_LINKER_FLAGS_INIT " -B${folder} -L${folder} -Wl,-rpath,${folder}")
    if(EXISTS ${folder}/${NIDO_LOADER})
        set(nido_loader ${folder}/${NIDO_LOADER})
    endif()
endforeach()
string(APPEND CMAKE_EXE_LINKER_FLAGS_INIT " -Wl,--dynamic-linker=${nido_loader}")
include(${CMAKE_CURRENT_LIST_DIR}/toolchain-sysroot.cmake)
