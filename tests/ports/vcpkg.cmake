# SPDX-License-Identifier: MIT
# The functions of vcpkg that packaging/vcpkg/portfile.cmake calls, as far as it needs them, so that it runs without vcpkg:
#   cmake -DPORTFILE=... -DLINKAGE=static|dynamic -DROOT=... -P vcpkg.cmake
cmake_minimum_required(VERSION 3.18)
set(PORT nido)
set(VCPKG_LIBRARY_LINKAGE ${LINKAGE})
set(CURRENT_PACKAGES_DIR ${ROOT}/packages)
set(CMAKE_CURRENT_LIST_DIR ${ROOT})

function(run)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE said ERROR_VARIABLE said)
    if(status)
        message(FATAL_ERROR "${ARGN}:\n${said}")
    endif()
endfunction()

function(vcpkg_download_distfile out)
    cmake_parse_arguments(PARSE_ARGV 1 asked "" "URLS;FILENAME;SHA512" "")
    file(DOWNLOAD ${asked_URLS} ${ROOT}/${asked_FILENAME} EXPECTED_HASH SHA512=${asked_SHA512})
    set(${out} ${ROOT}/${asked_FILENAME} PARENT_SCOPE)
endfunction()

function(vcpkg_extract_source_archive out)
    cmake_parse_arguments(PARSE_ARGV 1 asked "" "ARCHIVE" "")
    file(ARCHIVE_EXTRACT INPUT ${asked_ARCHIVE} DESTINATION ${ROOT}/src)
    file(GLOB inside ${ROOT}/src/*)
    set(${out} ${inside} PARENT_SCOPE)
endfunction()

function(vcpkg_check_features)
    cmake_parse_arguments(PARSE_ARGV 0 asked "" "OUT_FEATURE_OPTIONS" "FEATURES")
    list(GET asked_FEATURES 1 option)
    set(${asked_OUT_FEATURE_OPTIONS} -D${option}=OFF PARENT_SCOPE)
endfunction()

function(vcpkg_cmake_configure)
    cmake_parse_arguments(PARSE_ARGV 0 asked "" "SOURCE_PATH" "OPTIONS")
    run(${CMAKE_COMMAND} -G Ninja -S ${asked_SOURCE_PATH} -B ${ROOT}/build -DCMAKE_BUILD_TYPE=Release
        -DCMAKE_INSTALL_PREFIX=${CURRENT_PACKAGES_DIR} -DCMAKE_INSTALL_LIBDIR=lib ${asked_OPTIONS})
endfunction()

function(vcpkg_cmake_install)
    run(${CMAKE_COMMAND} --build ${ROOT}/build -j2)
    run(${CMAKE_COMMAND} --install ${ROOT}/build)
endfunction()

# What the real one moves; it also mends the paths inside.
function(vcpkg_cmake_config_fixup)
    cmake_parse_arguments(PARSE_ARGV 0 asked "" "CONFIG_PATH" "")
    if(NOT EXISTS ${CURRENT_PACKAGES_DIR}/${asked_CONFIG_PATH}/nidoConfig.cmake)
        message(FATAL_ERROR "the port has no package for CMake in ${asked_CONFIG_PATH}")
    endif()
endfunction()

function(vcpkg_fixup_pkgconfig)
    file(GLOB found ${CURRENT_PACKAGES_DIR}/lib/pkgconfig/nido*.pc)
    if(NOT found)
        message(FATAL_ERROR "the port has no package for pkg-config")
    endif()
endfunction()

function(vcpkg_install_copyright)
    cmake_parse_arguments(PARSE_ARGV 0 asked "" "" "FILE_LIST")
    foreach(file IN LISTS asked_FILE_LIST)
        file(INSTALL ${file} DESTINATION ${CURRENT_PACKAGES_DIR}/share/${PORT})
    endforeach()
endfunction()

include(${PORTFILE})
