# SPDX-License-Identifier: MIT
"""lldb commands for programs that use nido, alive or as a core file:

    (lldb) command script import /usr/share/nido/nido_lldb.py
    nido ps         the tasks, a line each
    nido tree       the tasks and groups as a tree
    nido bt N|all   the frames of task N, of all tasks
    nido frame N    task N becomes the thread that bt, up, down, frame and print see; until the program goes on, or
                    `nido frame off`

and summaries of nido's public types.

Nothing of the program is called or changed: lldb takes a parked task for a thread, whose registers are those that the
switch has saved (its interface for operating systems), as long as its frames are shown.

How tasks are read is in nido_tasks.py, what types look like in nido_printers.py, in the same folder."""

import pathlib
import re
import struct
import sys

import lldb

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from nido_printers import WORDS # pylint: disable=wrong-import-position
import nido_tasks # pylint: disable=wrong-import-position
from nido_tasks import Tree, head_words, pointer, runtimes, task_of, task_words # pylint: disable=wrong-import-position
from nido_lldb_threads import FIRST_THREAD, REGISTERS, machine_of # pylint: disable=wrong-import-position

class Failure(Exception):
    """A sentence to the user."""


class Lldb:
    """lldb, as nido_tasks asks it."""

    Failure = Failure

    def __init__(self, target):
        self.target, self.process = target, target.GetProcess()

    def read(self, address, size):
        """What a core file lacks, for nothing has changed it, is in the program's file."""
        error = lldb.SBError()
        taken = self.process.ReadMemory(address, size, error)
        if not error.Success():
            error = lldb.SBError()
            taken = self.target.ReadMemory(self.target.ResolveLoadAddress(address), size, error)
        if not error.Success() or taken is None or len(taken) != size:
            raise OSError(f"{size} bytes at {address:#x} cannot be read")
        return taken

    def table_address(self):
        """By its symbol, or by the note that a stripped program has too."""
        for found in self.target.FindSymbols("nidoi_layout"):
            address = found.GetSymbol().GetStartAddress().GetLoadAddress(self.target)
            if address != lldb.LLDB_INVALID_ADDRESS:
                return address
        for module in self.target.module_iter():
            start = module.FindSection(".note.nido").GetLoadAddress(self.target)
            if start == lldb.LLDB_INVALID_ADDRESS:
                continue
            try:
                return start + 20 + struct.unpack("=i", self.read(start, 24)[20:])[0]
            except OSError:
                continue
        return None

    def place(self, address):
        found = self.target.ResolveLoadAddress(address)
        symbol, module = found.GetSymbol(), found.GetModule()
        if not module.IsValid() or not symbol.IsValid():
            return None
        program, name = module.GetFileSpec().GetFilename(), symbol.GetName()
        if name.startswith("___lldb_unnamed_symbol"):
            return program, None, found.GetFileAddress()
        return program, name, address - symbol.GetStartAddress().GetLoadAddress(self.target)

    def thread_names(self):
        return {thread.GetThreadID(): thread.GetName() for thread in self.process}


# ---- Frames ----

def saved_registers(target, runtime, task):
    layout = runtime.layout
    names, pc, sp = REGISTERS.get(machine_of(target), (None, None, None))
    if not names or "saved.pc" not in layout.entries:
        raise Failure("how a switch saves registers on this processor is not known")
    saved = {}
    for name, (offset, _) in layout.entries.items():
        register = re.fullmatch(r"saved\.r(\d+)", name)
        if register:
            saved[names[int(register[1])]] = pointer(task.sp + offset)
    saved[pc] = pointer(task.sp + layout.constant("saved.pc"))
    saved[sp] = task.sp + layout.constant("saved.end")
    return saved


def frames_of(thread):
    lines = []
    for frame in thread:
        lines.append(str(frame).strip())
    return "\n".join(lines) if lines else "(no frames)"


def running_frames(process, task):
    """Those of the thread on whose stack it runs."""
    for thread in process:
        if task.bottom <= thread.GetFrameAtIndex(0).GetSP() < task.top:
            return frames_of(thread)
    return "(it runs, and no thread is on its stack)"


def load_plugin(target):
    """Anew each time: lldb then asks for its threads again."""
    plugin = pathlib.Path(__file__).resolve().with_name("nido_lldb_threads.py")
    target.GetDebugger().HandleCommand(f'settings set target.process.python-os-plugin-path "{plugin}"')


def task_frames(target, runtime, task):
    process = target.GetProcess()
    if task.runs:
        return running_frames(process, task)
    number = FIRST_THREAD + task.id
    try:
        nido_tasks.threads[number] = saved_registers(target, runtime, task)
    except OSError:
        return "(its stack cannot be read)"
    thread = process.CreateOSPluginThread(number, 0)
    return frames_of(thread) if thread.IsValid() else "(lldb takes no threads from scripts here)"


# ---- Commands ----

def show_ps(_target, _argument):
    for runtime in runtimes():
        yield head_words(runtime)
        for task in runtime.tasks.values():
            yield task_words(runtime, task)


def show_tree(_target, _argument):
    for runtime in runtimes():
        yield head_words(runtime)
        yield from Tree(runtime).lines()


def show_bt(target, argument):
    load_plugin(target)
    if argument != "all":
        yield task_frames(target, *task_of(argument))
        return
    for runtime in runtimes():
        for task in runtime.tasks.values():
            yield f"{task_words(runtime, task)}\n{task_frames(target, runtime, task)}\n"


before_task = [] # the number of the thread that was selected before a task


def show_frame(target, argument):
    process = target.GetProcess()
    if argument == "off":
        nido_tasks.shown.clear()
        load_plugin(target)
        if before_task:
            process.SetSelectedThreadByID(before_task.pop())
        return
    runtime, task = task_of(argument)
    if task.runs:
        raise Failure(f"task #{task.id} runs: its frames are those of a thread (thread list)")
    number, before = FIRST_THREAD + task.id, process.GetSelectedThread().GetThreadID()
    try:
        nido_tasks.threads[number] = saved_registers(target, runtime, task)
    except OSError as error:
        raise Failure("its stack cannot be read") from error
    nido_tasks.shown = {number: process.GetStopID()}
    load_plugin(target)
    if before < FIRST_THREAD:
        before_task[:] = [before]
    if not process.SetSelectedThreadByID(number):
        raise Failure("lldb takes no threads from scripts here")
    yield str(process.GetSelectedThread().GetFrameAtIndex(0)).strip()


COMMANDS = {"ps": show_ps, "tree": show_tree, "bt": show_bt, "frame": show_frame}


# ---- Summaries ----

class Value:
    """A value of lldb, as nido_printers asks it."""

    def __init__(self, value):
        self.value = value

    def __getitem__(self, name):
        return Value(self.value.GetChildMemberWithName(name))

    def __int__(self):
        return self.value.GetValueAsSigned()

    @property
    def address(self):
        return self.value.GetLoadAddress()


def summary(value, _internal):
    value = value.GetNonSyntheticValue()
    name = value.GetType().GetUnqualifiedType().GetName().removeprefix("struct ")
    nido_tasks.use(Lldb(value.GetTarget()))
    try:
        return WORDS[name](Value(value))
    except (Failure, OSError, KeyError) as error:
        return f"{name} ({error})"


def nido(debugger, command, result, _internal):
    """What a program that uses nido does: nido ps, nido tree, nido bt N|all, nido frame N|off."""
    word, _, argument = command.strip().partition(" ")
    target = debugger.GetSelectedTarget()
    if word not in COMMANDS:
        result.SetError("nido ps, nido tree, nido bt N, nido bt all, nido frame N, nido frame off")
    elif not target.GetProcess().IsValid():
        result.SetError("there is no process and no core file")
    else:
        nido_tasks.use(Lldb(target))
        try:
            for line in COMMANDS[word](target, argument.strip()):
                print(line, file=result)
        except Failure as failure:
            result.SetError(str(failure))


def __lldb_init_module(debugger, _names):
    debugger.HandleCommand(f"command script add -f {__name__}.nido nido")
    for name in WORDS:
        debugger.HandleCommand(f"type summary add --skip-pointers --expand -F {__name__}.summary {name}")
