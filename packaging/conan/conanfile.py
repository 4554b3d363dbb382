# SPDX-License-Identifier: MIT
"""nido for Conan 2."""
import os

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import copy, get, rmdir


class Nido(ConanFile):
    name = "nido"
    version = "@VERSION@"
    description = "Structured concurrency for C: stackful coroutines, task groups, deadline scopes"
    license = "MIT", "BSL-1.0"
    topics = "coroutines", "concurrency", "structured-concurrency", "epoll", "kqueue"
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False]}
    default_options = {"shared": False, "fPIC": True, "boost/*:shared": False}

    def configure(self):
        self.settings.rm_safe("compiler.cppstd")
        self.settings.rm_safe("compiler.libcxx")
        if self.options.shared:
            self.options.rm_safe("fPIC")

    def validate(self):
        if self.settings.os not in ("Linux", "FreeBSD", "Macos"):
            raise ConanInvalidConfiguration("nido stands on epoll or kqueue")

    def requirements(self):
        # Folded into the library: its users need nothing of it.
        self.requires("boost/[>=1.74 <2]", headers=False, libs=False, visible=False)

    def layout(self):
        cmake_layout(self, src_folder="src")

    def source(self):
        get(self, **self.conan_data["sources"][self.version], strip_root=True)

    def generate(self):
        toolchain = CMakeToolchain(self)
        folder = self.dependencies["boost"].package_folder
        toolchain.cache_variables["NIDO_FCONTEXT_LIBRARY"] = os.path.join(folder, "lib", "libboost_context.a")
        toolchain.cache_variables["NIDO_BUILD_SHARED"] = bool(self.options.shared)
        toolchain.cache_variables["NIDO_BUILD_STATIC"] = not self.options.shared
        for part in ("TLS", "TOOLS", "LOCKS", "TESTS", "BENCH", "EXAMPLES"):
            toolchain.cache_variables[f"NIDO_BUILD_{part}"] = False
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        for name in ("LICENSE", "NOTICE"):
            copy(self, name, src=self.source_folder, dst=os.path.join(self.package_folder, "licenses"))
        CMake(self).install()
        # Conan makes its own of these.
        for folder in ("cmake", "pkgconfig"):
            rmdir(self, os.path.join(self.package_folder, "lib", folder))
        rmdir(self, os.path.join(self.package_folder, "share"))

    def package_info(self):
        self.cpp_info.libs = ["nido"]
        self.cpp_info.cflags = self.cpp_info.cxxflags = ["-fstack-clash-protection"]
        self.cpp_info.set_property("cmake_file_name", "nido")
        self.cpp_info.set_property("cmake_target_name", "nido::nido")
        self.cpp_info.set_property("pkg_config_name", "nido")
        if self.settings.os == "Linux":
            self.cpp_info.system_libs = ["pthread", "dl"]
        if self.settings.arch in ("x86", "armv7hf", "armv7"):
            self.cpp_info.defines = ["_FILE_OFFSET_BITS=64", "_TIME_BITS=64"]
