# SPDX-License-Identifier: MIT
# Boost's switch is folded in from its static library, which triplets with shared libraries do not have.
vcpkg_download_distfile(archive
    URLS "@ADDRESS@"
    FILENAME nido-@VERSION@.tar.gz
    SHA512 @SHA512@)
vcpkg_extract_source_archive(SOURCE_PATH ARCHIVE "${archive}")
vcpkg_check_features(OUT_FEATURE_OPTIONS features FEATURES tls NIDO_BUILD_TLS)
string(COMPARE EQUAL "${VCPKG_LIBRARY_LINKAGE}" "dynamic" shared)
string(COMPARE EQUAL "${VCPKG_LIBRARY_LINKAGE}" "static" static)

vcpkg_cmake_configure(SOURCE_PATH "${SOURCE_PATH}" OPTIONS ${features}
    -DNIDO_BUILD_SHARED=${shared} -DNIDO_BUILD_STATIC=${static}
    -DNIDO_BUILD_TOOLS=OFF -DNIDO_BUILD_LOCKS=OFF -DNIDO_VALGRIND=OFF -DNIDO_USDT=OFF
    -DNIDO_BUILD_TESTS=OFF -DNIDO_BUILD_BENCH=OFF -DNIDO_BUILD_EXAMPLES=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/nido)
vcpkg_fixup_pkgconfig()

file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share")
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE" "${SOURCE_PATH}/NOTICE")
