# SPDX-License-Identifier: MIT
# Removes the files that the last install into this build's prefix has written. Runs in the build
# directory.
file(GLOB manifests install_manifest*.txt)
if(NOT manifests)
    message(FATAL_ERROR "Nothing was installed from this build directory.")
endif()
foreach(manifest IN LISTS manifests)
    file(STRINGS ${manifest} files)
    foreach(file IN LISTS files)
        message(STATUS "Removing: $ENV{DESTDIR}${file}")
        file(REMOVE $ENV{DESTDIR}${file})
    endforeach()
    file(REMOVE ${manifest})
endforeach()
