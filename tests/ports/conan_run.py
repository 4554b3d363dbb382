# SPDX-License-Identifier: MIT
"""Runs packaging/conan/conanfile.py without Conan: conan_run.py CONANFILE ROOT BOOST

The classes and functions of Conan 2 that the recipe uses are stood in for, as far as it needs them. Installs into
ROOT/package; BOOST is the folder whose lib/ has libboost_context.a."""
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import types
import urllib.request

conanfile, root, boost = sys.argv[1:]


class Bag(types.SimpleNamespace):
    def rm_safe(self, name):
        self.__dict__.pop(name, None)

    def set_property(self, name, value):
        setattr(self, name, value)


class ConanFile:
    def __init__(self):
        self.settings = Bag(os="Linux", arch="x86_64", compiler="gcc", build_type="Release")
        self.options = Bag(**{name: value for name, value in self.default_options.items() if "/" not in name})
        self.dependencies = {"boost": Bag(package_folder=boost)}
        self.source_folder, self.build_folder, self.package_folder = (f"{root}/{name}" for name in ("src", "build", "package"))
        self.cpp_info, self.required = Bag(), []

    def requires(self, reference, **_):
        self.required.append(reference)


class CMakeToolchain:
    def __init__(self, recipe):
        self.recipe, self.cache_variables = recipe, {}

    def generate(self):
        self.recipe.cache = self.cache_variables


class CMake:
    def __init__(self, recipe):
        self.recipe = recipe

    def configure(self):
        value = {True: "ON", False: "OFF"}
        cache = [f"-D{name}={value.get(said, said)}" for name, said in self.recipe.cache.items()]
        self._run("-G", "Ninja", "-S", self.recipe.source_folder, "-B", self.recipe.build_folder, "-DCMAKE_BUILD_TYPE=Release",
                  "-DCMAKE_INSTALL_LIBDIR=lib", f"-DCMAKE_INSTALL_PREFIX={self.recipe.package_folder}", *cache)

    def build(self):
        self._run("--build", self.recipe.build_folder, "-j2")

    def install(self):
        self._run("--install", self.recipe.build_folder)

    @staticmethod
    def _run(*arguments):
        subprocess.run(["cmake", *arguments], check=True, stdout=subprocess.DEVNULL)


def get(recipe, url, sha256, strip_root):
    archive, _ = urllib.request.urlretrieve(url, f"{root}/archive")
    with open(archive, "rb") as file:
        assert hashlib.sha256(file.read()).hexdigest() == sha256 and strip_root
    with tarfile.open(archive) as tar:
        tar.extractall(f"{root}/unpacked")
    os.rename(f"{root}/unpacked/{os.listdir(f'{root}/unpacked')[0]}", recipe.source_folder)


def copy(_, name, src, dst):
    os.makedirs(dst, exist_ok=True)
    shutil.copy(f"{src}/{name}", dst)


def stand_in(name, **what):
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(what)


stand_in("conan", ConanFile=ConanFile)
stand_in("conan.errors", ConanInvalidConfiguration=ValueError)
stand_in("conan.tools")
stand_in("conan.tools.cmake", CMake=CMake, CMakeToolchain=CMakeToolchain, cmake_layout=lambda recipe, src_folder: None)
stand_in("conan.tools.files", copy=copy, get=get, rmdir=lambda _, folder: shutil.rmtree(folder))

spec = importlib.util.spec_from_file_location("conanfile", conanfile)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
recipe = module.Nido()
with open(os.path.join(os.path.dirname(conanfile), "conandata.yml"), encoding="utf-8") as file:
    words = dict(line.strip().replace('"', "").split(": ", 1) for line in file if ": " in line and ":\n" not in line)
recipe.conan_data = {"sources": {recipe.version: {"url": words["url"], "sha256": words["sha256"]}}}
for step in ("configure", "validate", "requirements", "layout", "source", "generate", "build", "package", "package_info"):
    getattr(recipe, step)()
info = recipe.cpp_info
print(*info.cflags, *[f"-D{name}" for name in getattr(info, "defines", [])], f"-I{recipe.package_folder}/include",
      f"-L{recipe.package_folder}/lib", *[f"-l{name}" for name in info.libs + info.system_libs])
