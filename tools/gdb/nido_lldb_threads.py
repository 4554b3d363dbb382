# SPDX-License-Identifier: MIT
"""What lldb asks for threads beside those of the system: nido_lldb.py has it show the frames of a parked task as
those of one. lldb loads this file by itself, anew each time, so the registers are kept in nido_tasks."""

import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import nido_tasks # pylint: disable=wrong-import-position

# By their numbers in DWARF.
REGISTERS = {
    "x86_64": (["rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp"] + [f"r{n}" for n in range(8, 16)],
               "rip", "rsp"),
    "aarch64": ([f"x{n}" for n in range(29)] + ["fp", "lr", "sp"], "pc", "sp"),
}
GENERIC = {"rip": "pc", "rsp": "sp", "rbp": "fp", "pc": "pc", "sp": "sp", "fp": "fp", "lr": "ra"}
FIRST_THREAD = 1 << 40 # of those that lldb is told of: no system has such numbers


def machine_of(target):
    return target.GetTriple().partition("-")[0]


class OperatingSystemPlugIn:
    """lldb asks it for threads beside those of the system: there are some while the frames of tasks are shown."""

    def __init__(self, process):
        names, pc, _ = REGISTERS.get(machine_of(process.GetTarget()), ([], "pc", "sp"))
        self.names, self.process = names + [pc], process

    def get_thread_info(self):
        """The task that is shown as a thread, until the program goes on."""
        if list(nido_tasks.shown.values()) != [self.process.GetStopID()]:
            nido_tasks.shown.clear()
        return [self.create_thread(number, 0) for number in nido_tasks.shown]

    def create_thread(self, number, _context):
        return {"tid": number, "name": f"task #{number - FIRST_THREAD}", "state": "stopped", "stop_reason": "none"}

    def get_register_info(self):
        registers = []
        for at, name in enumerate(self.names):
            registers.append({"name": name, "bitsize": 64, "offset": 8 * at, "encoding": "uint", "format": "hex",
                              "set": 0, "gcc": at, "dwarf": at})
            if name in GENERIC:
                registers[-1]["generic"] = GENERIC[name]
        return {"sets": ["GPR"], "registers": registers}

    def get_register_data(self, number):
        saved = nido_tasks.threads.get(number, {})
        return struct.pack(f"={len(self.names)}Q", *(saved.get(name, 0) for name in self.names))
