# SPDX-License-Identifier: MIT
# Flags go on targets only, so that a project that adds nido as a subdirectory keeps its own.
include(CheckCCompilerFlag)
include(CheckIncludeFile)

check_include_file(valgrind/valgrind.h NIDO_HAVE_VALGRIND_H)
if(NIDO_HAVE_VALGRIND_H)
    set(nido_valgrind_default ON)
else()
    set(nido_valgrind_default OFF)
endif()
option(NIDO_VALGRIND "Tell Valgrind of the stacks (needs valgrind/valgrind.h)" ${nido_valgrind_default})
if(NIDO_VALGRIND AND NOT NIDO_HAVE_VALGRIND_H)
    message(FATAL_ERROR "nido: NIDO_VALGRIND needs valgrind/valgrind.h: install valgrind.")
endif()
if(NIDO_VALGRIND)
    message(STATUS "nido: with requests to Valgrind")
else()
    message(STATUS "nido: without requests to Valgrind: valgrind/valgrind.h is not there, or NIDO_VALGRIND is OFF")
endif()

check_include_file(sys/sdt.h NIDO_HAVE_SDT_H)
if(NIDO_HAVE_SDT_H)
    set(nido_usdt_default ON)
else()
    set(nido_usdt_default OFF)
endif()
option(NIDO_USDT "Static probes for bpftrace, perf and gdb (needs sys/sdt.h of systemtap-sdt-dev)" ${nido_usdt_default})
if(NIDO_USDT AND NOT NIDO_HAVE_SDT_H)
    message(FATAL_ERROR "nido: NIDO_USDT needs sys/sdt.h: install systemtap-sdt-dev.")
endif()
if(NIDO_USDT)
    message(STATUS "nido: with static probes (USDT)")
else()
    message(STATUS "nido: without static probes: sys/sdt.h is not there, or NIDO_USDT is OFF")
endif()

if(NIDO_SANITIZE)
    set(NIDO_SANITIZE_FLAGS -fsanitize=${NIDO_SANITIZE} -fno-sanitize-recover=undefined)
endif()

if(NIDO_COVERAGE)
    # Atomic: workers count too, and a branch can come out as taken less than never otherwise.
    list(APPEND NIDO_SANITIZE_FLAGS --coverage -fprofile-update=atomic)
endif()

# Clang for macOS knows nothing of these.
if(NOT APPLE)
    set(NIDO_ELF_FLAGS -fstack-clash-protection -fno-semantic-interposition)
endif()

# What libc has or lacks. The functions are there since glibc 2.34, 2.29 and 2.26; the second one since musl 1.1.24.
include(CheckSymbolExists)
set(CMAKE_REQUIRED_DEFINITIONS -D_GNU_SOURCE)
check_symbol_exists(posix_spawn_file_actions_addclosefrom_np spawn.h NIDO_HAVE_SPAWN_CLOSEFROM)
check_symbol_exists(posix_spawn_file_actions_addchdir_np spawn.h NIDO_HAVE_SPAWN_CHDIR)
check_symbol_exists(preadv2 sys/uio.h NIDO_HAVE_PREADV2)
unset(CMAKE_REQUIRED_DEFINITIONS)

# musl-gcc takes glibc's libgcc, which cannot walk a stack there: the test kit names no places then.
include(CheckCSourceCompiles)
check_c_source_compiles("#include <unwind.h>
    int main(void) { return _Unwind_Backtrace(0, 0); }" NIDO_HAVE_BACKTRACE)

# Sizes and times of 64 bits, also where glibc's are narrower: nido's users need the same for a struct stat.
if(CMAKE_SIZEOF_VOID_P EQUAL 4 AND CMAKE_SYSTEM_NAME STREQUAL "Linux")
    set(NIDO_WIDE_DEFINITIONS _FILE_OFFSET_BITS=64 _TIME_BITS=64)
    set(NIDO_WIDE_FLAGS " -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64")
endif()

# What the programs that link nido are offered. A frame larger than a task's guard could step over it
# unless the compiler probes page by page. A target that does not want that sets its property
# NIDO_STACK_CLASH_PROTECTION to OFF. Clang for arm64 has known the flag since 18.
set(nido_least_clang 11)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)")
    set(nido_least_clang 18)
endif()
foreach(language IN ITEMS C CXX)
    foreach(make IN ITEMS GNU:8 Clang:${nido_least_clang})
        string(REPLACE ":" ";" make ${make})
        list(GET make 0 id)
        list(GET make 1 least)
        list(APPEND nido_probing_compilers "$<AND:$<COMPILE_LANG_AND_ID:${language},${id}>,\
$<VERSION_GREATER_EQUAL:$<${language}_COMPILER_VERSION>,${least}>>")
    endforeach()
endforeach()
list(JOIN nido_probing_compilers "," nido_probing_compilers)
set(nido_property "$<TARGET_PROPERTY:NIDO_STACK_CLASH_PROTECTION>")
set(nido_probing_wanted "$<OR:$<STREQUAL:${nido_property},>,$<BOOL:${nido_property}>>")

function(nido_offer_probing target)
    if(NOT APPLE)
        target_compile_options(${target} INTERFACE
            "$<$<AND:${nido_probing_wanted},$<OR:${nido_probing_compilers}>>:-fstack-clash-protection>")
    endif()
endfunction()

# How nido's own code is compiled: the library, its tests, its benchmarks, its examples.
function(nido_flags target)
    # Each file has its own static names: a parent's unity build stops here.
    set_target_properties(${target} PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF
        C_VISIBILITY_PRESET hidden UNITY_BUILD OFF)
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE= $<$<BOOL:${NIDO_VALGRIND}>:NIDOI_VALGRIND=1>
        $<$<STREQUAL:${NIDO_BACKEND},kqueue>:NIDOI_KQUEUE=1>
        $<$<NOT:$<BOOL:${NIDO_HAVE_SPAWN_CLOSEFROM}>>:NIDOI_NO_SPAWN_CLOSEFROM=1>
        $<$<NOT:$<BOOL:${NIDO_HAVE_SPAWN_CHDIR}>>:NIDOI_NO_SPAWN_CHDIR=1>
        $<$<NOT:$<BOOL:${NIDO_HAVE_PREADV2}>>:NIDOI_NO_PREADV2=1>
        $<$<NOT:$<BOOL:${NIDO_HAVE_BACKTRACE}>>:NIDOI_NO_BACKTRACE=1>
        ${NIDO_WIDE_DEFINITIONS})
    target_compile_options(${target} PRIVATE
        $<$<COMPILE_LANGUAGE:C>:-Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes
        -Wconversion -Wno-sign-conversion $<$<C_COMPILER_ID:Clang>:-Wno-string-conversion>
        -ftls-model=initial-exec ${NIDO_ELF_FLAGS}
        ${NIDO_SANITIZE_FLAGS} $<$<BOOL:${NIDO_WERROR}>:-Werror>>)
endfunction()

# Assertions name files, by their places in this tree, wherever it is built: two builds come out the same.
check_c_compiler_flag(-fmacro-prefix-map=/a/=b/ NIDO_HAVE_PREFIX_MAP)
file(RELATIVE_PATH nido_from_build ${CMAKE_BINARY_DIR} ${PROJECT_SOURCE_DIR})
string(REGEX REPLACE "/$" "" nido_from_build "${nido_from_build}")

function(nido_names_files target)
    if(NIDO_HAVE_PREFIX_MAP)
        target_compile_options(${target} PRIVATE
            -fmacro-prefix-map=${PROJECT_SOURCE_DIR}/= -fmacro-prefix-map=${nido_from_build}/=)
    endif()
endfunction()

# A sanitized library needs its run time wherever it is linked. Clang links that into programs only,
# so a sanitized shared library has open symbols. So has every one on FreeBSD (environ), and macOS
# allows none anyway.
function(nido_link_flags target)
    target_link_options(${target} PUBLIC ${NIDO_SANITIZE_FLAGS})
    if(APPLE) # weak, and nobody may bring it
        target_link_options(${target} PUBLIC -Wl,-U,___cxa_get_globals)
    endif()
    if(CMAKE_SYSTEM_NAME STREQUAL "Linux") # handlers and threads of nido outlive who loaded it
        target_link_options(${target} PRIVATE -Wl,-z,nodelete)
        target_link_options(${target} INTERFACE
            $<$<IN_LIST:$<TARGET_PROPERTY:TYPE>,SHARED_LIBRARY$<SEMICOLON>MODULE_LIBRARY>:-Wl,-z,nodelete>)
    endif()
    if(NOT NIDO_SANITIZE AND CMAKE_SYSTEM_NAME STREQUAL "Linux")
        target_link_options(${target} PRIVATE -Wl,-z,defs)
    endif()
endfunction()
