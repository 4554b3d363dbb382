# SPDX-License-Identifier: MIT
"""gdb commands for programs that use nido, alive or as a core file:

    nido ps         the tasks, a line each
    nido tree       the tasks and groups as a tree
    nido bt N|all   the frames of task N, of all tasks
    nido frame N    the frames of task N become those that bt, up, down, frame and print see; until the
                    program goes on, or `nido frame off`

and printers for nido's public types (`print /r` shows the fields).

Nothing of the program is called or changed: a task's frames are found by an unwinder that takes the registers
which the switch has saved for the caller of the thread's innermost frame, so frame 0 stays the thread's.

How tasks are read is in nido_tasks.py, what types look like in nido_printers.py: in the same folder or in the folder
nido of a folder above."""

import pathlib
import re
import struct
import sys

import gdb
import gdb.printing
import gdb.unwinder

for folder in pathlib.Path(__file__).resolve().parents:
    if (found := next((at for at in (folder, folder / "nido") if (at / "nido_tasks.py").is_file()), None)):
        sys.path.insert(0, str(found))
        break
import nido_tasks # pylint: disable=wrong-import-position
from nido_printers import WORDS # pylint: disable=wrong-import-position
from nido_tasks import Tree, pointer, runtimes, task_of, task_words # pylint: disable=wrong-import-position

# The names that gdb has for the registers of DWARF.
REGISTERS = {
    "i386:x86-64": (["rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp"] + [f"r{n}" for n in range(8, 16)],
                    "rip", "rsp"),
    "aarch64": ([f"x{n}" for n in range(31)] + ["sp"], "pc", "sp"),
}


# ---- gdb, as nido_tasks asks it ----

class Gdb:
    Failure = gdb.GdbError

    @staticmethod
    def read(address, size):
        try:
            return bytes(gdb.selected_inferior().read_memory(address, size))
        except gdb.MemoryError as error:
            raise OSError(str(error)) from error

    @staticmethod
    def table_address():
        """By its symbol, or by the note that a stripped program has too."""
        try:
            return int(gdb.parse_and_eval("(unsigned long)&nidoi_layout"))
        except gdb.error:
            pass
        sections = gdb.execute("maintenance info sections -all-objects .note.nido", to_string=True)
        for start in re.findall(r"(0x[0-9a-f]+)->0x[0-9a-f]+ at 0x[0-9a-f]+: \.note\.nido", sections):
            try:
                note = Gdb.read(int(start, 16), 24)
            except OSError:
                continue
            return int(start, 16) + 20 + struct.unpack("=i", note[20:])[0]
        return None

    @staticmethod
    def place(address):
        symbol = gdb.execute(f"info symbol {address:#x}", to_string=True)
        found = re.match(r"(\S+?)(?:\(.*\))?(?: \+ (\d+))? in section \S+(?: of (.*))?", symbol)
        if not found:
            return None
        program = found[3] or gdb.current_progspace().filename or "?"
        return program.strip().rpartition("/")[2], found[1], int(found[2] or 0)

    @staticmethod
    def thread_names():
        return {thread.ptid[1]: thread.name for thread in gdb.selected_inferior().threads()}


nido_tasks.use(Gdb)


# ---- Frames ----

class TaskUnwinder(gdb.unwinder.Unwinder):
    """While a task is chosen, it is what has called the innermost frame of the thread."""

    class FrameId:
        def __init__(self, sp, pc):
            self.sp, self.pc = sp, pc

    def __init__(self):
        super().__init__("nido task")
        self.saved, self.thread = None, None

    def choose(self, runtime, task):
        layout = runtime.layout
        names, pc, sp = REGISTERS.get(gdb.selected_inferior().architecture().name(), (None, None, None))
        if not names or "saved.pc" not in layout.entries:
            raise gdb.GdbError("how a switch saves registers on this processor is not known")
        self.saved = {}
        for name, (offset, _) in layout.entries.items():
            register = re.fullmatch(r"saved\.r(\d+)", name)
            if register:
                self.saved[names[int(register[1])]] = pointer(task.sp + offset)
        self.saved[pc] = pointer(task.sp + layout.constant("saved.pc"))
        self.saved[sp] = task.sp + layout.constant("saved.end")
        self.pc, self.sp = pc, sp
        self.thread = gdb.selected_thread().ptid
        gdb.invalidate_cached_frames()

    def leave(self):
        if self.saved:
            self.saved = None
            gdb.invalidate_cached_frames()

    def __call__(self, pending):
        thread = gdb.selected_thread()
        if not self.saved or pending.level() or not thread or thread.ptid != self.thread:
            return None
        # Of frame 0, below those of the task: gdb takes a stack that does not grow down for a damaged one.
        word = pending.read_register(self.sp).type
        identity = self.FrameId(gdb.Value(self.saved[self.sp] - 256).cast(word),
                                pending.read_register(self.pc))
        info = pending.create_unwind_info(identity)
        for name, value in self.saved.items():
            info.add_saved_register(name, gdb.Value(value).cast(pending.read_register(name).type))
        return info


unwinder = TaskUnwinder()
gdb.unwinder.register_unwinder(None, unwinder, True)
gdb.events.cont.connect(lambda event: unwinder.leave())
gdb.events.exited.connect(lambda event: unwinder.leave())


def without_frame_0(lines):
    """Those of the thread itself; inner frames of nido stay, so that the numbers are gdb's."""
    found = re.search(r"^#1 ", lines, re.MULTILINE)
    return lines[found.start():] if found else "(no frames)\n"


def running_frames(task):
    """Those of the thread on whose stack it runs."""
    selected = gdb.selected_thread()
    try:
        for thread in gdb.selected_inferior().threads():
            thread.switch()
            sp = int(gdb.parse_and_eval("(unsigned long)$sp"))
            if task.bottom <= sp < task.top:
                return gdb.execute("bt", to_string=True)
    finally:
        if selected:
            selected.switch()
    return "(it runs, and no thread is on its stack)\n"


def task_frames(runtime, task):
    if task.runs:
        unwinder.leave()
        return running_frames(task)
    before, thread = unwinder.saved, unwinder.thread
    try:
        unwinder.choose(runtime, task)
        return without_frame_0(gdb.execute("bt", to_string=True))
    except OSError:
        return "(its stack cannot be read)\n"
    finally:
        unwinder.saved, unwinder.thread = before, thread
        gdb.invalidate_cached_frames()


# ---- Commands ----

class Prefix(gdb.Command):
    """What a program that uses nido does: nido ps, nido tree, nido bt N|all, nido frame N|off."""

    def __init__(self):
        super().__init__("nido", gdb.COMMAND_STACK, gdb.COMPLETE_COMMAND, True)


class Ps(gdb.Command):
    """The tasks of each runtime, a line each."""

    def __init__(self):
        super().__init__("nido ps", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for runtime in runtimes():
            print(nido_tasks.head_words(runtime))
            for task in runtime.tasks.values():
                print(task_words(runtime, task))


class ShowTree(gdb.Command):
    """The tasks and groups of each runtime as a tree."""

    def __init__(self):
        super().__init__("nido tree", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for runtime in runtimes():
            print(nido_tasks.head_words(runtime))
            for line in Tree(runtime).lines():
                print(line)


class Bt(gdb.Command):
    """The frames of a task, or of all: nido bt N, nido bt all."""

    def __init__(self):
        super().__init__("nido bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        if argument.strip() != "all":
            runtime, task = task_of(argument.strip())
            print(task_frames(runtime, task), end="")
            return
        for runtime in runtimes():
            for task in runtime.tasks.values():
                print(f"{task_words(runtime, task)}\n{task_frames(runtime, task)}")


class Frame(gdb.Command):
    """Frames are those of a task, from frame 1 on: nido frame N. As before: nido frame off."""

    def __init__(self):
        super().__init__("nido frame", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        unwinder.leave()
        if argument.strip() == "off":
            gdb.execute("frame")
            return
        runtime, task = task_of(argument.strip())
        if task.runs:
            raise gdb.GdbError(f"task #{task.id} runs: its frames are those of a thread (info threads)")
        unwinder.choose(runtime, task)
        gdb.execute("frame 1")


for command in Prefix, Ps, ShowTree, Bt, Frame:
    command()


# ---- Printers ----

def printer(name):
    class Printer:
        def __init__(self, value):
            self.value = value

        def to_string(self):
            try:
                return WORDS[name](self.value)
            except (gdb.error, gdb.GdbError, KeyError) as error:
                return f"{name} ({error})"
    return Printer


collection = gdb.printing.RegexpCollectionPrettyPrinter("nido")
for type_name in WORDS:
    collection.add_printer(type_name, f"^{type_name}$", printer(type_name))
gdb.printing.register_pretty_printer(gdb.current_objfile(), collection, replace=True)
