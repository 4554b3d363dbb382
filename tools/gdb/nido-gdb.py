"""gdb commands for programs that use nido, alive or as a core file:

    nido ps         the tasks, a line each
    nido tree       the tasks and groups as a tree
    nido bt N|all   the frames of task N, of all tasks
    nido frame N    the frames of task N become those that bt, up, down, frame and print see; until the
                    program goes on, or `nido frame off`

and printers for nido's public types (`print /r` shows the fields).

Nothing of the program is called or changed: a task's frames are found by an unwinder that takes the registers
which the switch has saved for the caller of the thread's innermost frame, so frame 0 stays the thread's.

What lies where is read from the table that the library carries (src/coro/run/layout.h)."""

import collections
import re
import struct

import gdb
import gdb.printing
import gdb.unwinder

VERSION = 1
MOST_RUNTIMES, MOST_SLOTS, MOST_INNER, MOST_ABOVE = 4096, 1 << 24, 4096, 16384
NEVER, CANCELLED_NOW = (1 << 63) - 1, -(1 << 63)
DEEPEST, FOLD_FROM = 24, 3
POLICIES = ["fail-fast", "wait-all", "race"]
# The names that gdb has for the registers of DWARF.
REGISTERS = {
    "i386:x86-64": (["rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp"] + [f"r{n}" for n in range(8, 16)],
                    "rip", "rsp"),
    "aarch64": ([f"x{n}" for n in range(31)] + ["sp"], "pc", "sp"),
}


# ---- Memory, and the table that tells what lies where ----

def read(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size))


def pointer(address):
    return struct.unpack("=Q", read(address, 8))[0]


def text(address, most=200):
    """The string there; None: NULL, or not to be read."""
    if not address:
        return None
    taken = b""
    try:
        while len(taken) < most and b"\0" not in taken:
            taken += read(address + len(taken), 1)
    except gdb.MemoryError:
        if not taken:
            return None
    return "".join("?" if ord(c) < 32 or ord(c) == 127 else c
                   for c in taken.split(b"\0")[0].decode(errors="replace"))


def table_address():
    """By its symbol, or by the note that a stripped program has too."""
    try:
        return int(gdb.parse_and_eval("(unsigned long)&nidoi_layout"))
    except gdb.error:
        pass
    sections = gdb.execute("maintenance info sections -all-objects .note.nido", to_string=True)
    for start in re.findall(r"(0x[0-9a-f]+)->0x[0-9a-f]+ at 0x[0-9a-f]+: \.note\.nido", sections):
        try:
            note = read(int(start, 16), 24)
        except gdb.MemoryError:
            continue
        return int(start, 16) + 20 + struct.unpack("=i", note[20:])[0]
    raise gdb.GdbError("no nido is found in this program; has it been started, and is it the right one?")


class Layout:
    def __init__(self):
        address = table_address()
        try:
            head = struct.unpack("=8sIIIIQ16sQ", read(address, 56))
        except gdb.MemoryError as error:
            raise gdb.GdbError("nido's table cannot be read: does the core file lack it?") from error
        magic, version, pointer_size, entry_size, count, entries_at, library, self.runtimes = head
        self.library = library.split(b"\0")[0].decode(errors="replace")
        if magic != b"nido-lay":
            raise gdb.GdbError("nido's description of its structs is damaged")
        if version != VERSION:
            raise gdb.GdbError(f"this program has nido {self.library}, which describes itself in version "
                               f"{version}; these commands know version {VERSION}: take those of nido "
                               f"{self.library}")
        if pointer_size != 8:
            raise gdb.GdbError("a program of 32 bit: these commands know those of 64 bit")
        entries = read(address + entries_at, entry_size * count)
        self.entries = {}
        for name, offset, size in struct.iter_unpack("=24sII", entries):
            self.entries[name.split(b"\0")[0].decode()] = offset, size

    def constant(self, name):
        return self.entries[name][0]

    def field(self, base, name, signed=False):
        offset, size = self.entries[name]
        return int.from_bytes(read(base + offset, size), "little" if struct.pack("=H", 1)[0] else "big",
                              signed=signed)


# ---- Runtimes, tasks, groups ----

Group = collections.namedtuple("Group", "address name policy live limit services failure winner cancel")


class Task:
    """As the record at `address` says."""

    def __init__(self, runtime, address, number):
        layout = runtime.layout
        self.address, self.id = address, number
        self.name = text(layout.field(address, "task.name")) or ""
        self.service = layout.field(address, "task.service")
        self.group = layout.field(address, "task.group")
        self.spawned_at = layout.field(address, "task.spawned_at")
        self.scope = layout.field(address, "task.scope")
        self.due = layout.field(self.scope, "scope.due", True)
        self.sp = layout.field(address, "task.context.sp")
        self.runs = address == runtime.current
        self.waiter = layout.field(address, "task.waiter")
        stack = layout.field(address, "task.stack")
        self.bottom = layout.field(stack, "stack.bottom")
        self.top = stack + layout.constant("stack.bytes")
        self.used = self.top - address + layout.field(address, "task.deepest")
        self.base = address + layout.constant("task.base")
        self.since = layout.field(self.waiter, "waiter.since", True) if self.waiter else runtime.now
        self.groups = list(runtime.groups_of(self))
        self.place = place(self.spawned_at)
        self.kind, self.wait = runtime.wait_of(self)
        self.cancel = runtime.cancel_of(self.scope)


class Runtime:
    def __init__(self, layout, loop):
        self.layout, self.loop = layout, loop
        self.number = layout.field(loop, "loop.number")
        self.live = layout.field(loop, "loop.live")
        self.ready = (layout.field(loop, "loop.sched.tail") - layout.field(loop, "loop.sched.head")) % (1 << 32)
        self.now = layout.field(loop, "loop.sched.now", True)
        self.current = layout.field(loop, "loop.sched.current")
        self.has_head = "loop.began" in layout.entries
        self.torn = 0
        self.tasks = {}
        for address, number in sorted(self.slots(), key=lambda slot: slot[1]):
            try:
                if layout.field(address, "task.id") != number:
                    raise ValueError
                self.tasks[number] = Task(self, address, number)
            except (gdb.MemoryError, ValueError):
                self.torn += 1

    def slots(self):
        layout = self.layout
        made = layout.field(self.loop, "loop.slots.made")
        chunks, each = layout.field(self.loop, "loop.slots.chunks"), layout.constant("slots.chunk")
        for at in range(made if made <= MOST_SLOTS else 0):
            try:
                slot = pointer(chunks + at // each * 8) + at % each * layout.constant("slot.bytes")
                task, number = layout.field(slot, "slot.task"), layout.field(slot, "slot.id")
            except gdb.MemoryError:
                return
            if task and number:
                yield task, number

    def groups_of(self, task):
        """Those that it has opened, the outermost first."""
        layout, scope = self.layout, task.base
        for _ in range(MOST_INNER):
            scope = layout.field(scope, "scope.inner")
            if not scope or layout.field(scope, "scope.task") != task.address:
                return
            if layout.field(scope, "scope.flags") & layout.constant("scope.is_group"):
                policy = layout.field(scope, "group.policy")
                yield Group(scope, text(layout.field(scope, "group.name")) or "",
                            POLICIES[policy] if policy < len(POLICIES) else "?",
                            layout.field(scope, "group.live"), layout.field(scope, "group.limit"),
                            layout.field(scope, "group.services"), layout.field(scope, "group.failure", True),
                            layout.field(scope, "group.winner.id"), self.cancel_of(scope))

    def wait_of(self, task):
        """Its kind, and all in words."""
        layout = self.layout
        if task.runs:
            return "", "runs"
        if not task.waiter:
            return "", "is ready"
        kind = layout.field(task.waiter, "waiter.kind")
        thing = layout.field(task.waiter, "waiter.object")
        name_at, owner_at = layout.field(kind, "kind.name_at"), layout.field(kind, "kind.owner_at")
        name = text(pointer(thing + name_at)) if name_at and thing else None
        owner = pointer(thing + owner_at) if owner_at and thing else 0
        kind_name = text(layout.field(kind, "kind.name")) or "?"
        words = f"waits for {kind_name}"
        if name is not None:
            words += f' "{name}"'
        elif layout.field(kind, "kind.is_fd"):
            words += f" {thing & 0xffffffff}"
        elif thing and not (owner_at and not name_at):
            words += f" {thing:#x}"
        if owner:
            words += (" of" if name_at else "") + f' #{layout.field(owner, "task.id")}'
        return kind_name, words + f", {seconds(self.now - task.since)}"

    def cancel_of(self, scope):
        """What is felt in it, in words; ""."""
        layout, felt, shield, hidden = self.layout, [], False, False
        for _ in range(MOST_ABOVE):
            if not scope:
                break
            flags = layout.field(scope, "scope.flags")
            if flags & layout.constant("scope.is_cancelled"):
                hidden = hidden or shield
                if not shield:
                    felt.append((layout.field(scope, "scope.order"), scope))
            shield = shield or bool(flags & layout.constant("scope.is_shield"))
            scope = layout.field(scope, "scope.parent")
        if not felt:
            return "  shielded from a cancel" if hidden else ""
        scope = min(felt)[1]
        by = layout.field(scope, "scope.by")
        author = text(scope + layout.constant("scope.by_name"), 32) if by else None
        return (f'  cancelled: {text(layout.field(scope, "scope.reason")) or "no reason given"}'
                + (f", by #{by}" if by else "") + (f' "{author}"' if author else ""))

    def owns_deadline(self, task):
        scope = task.scope
        for _ in range(MOST_INNER):
            if self.layout.field(scope, "scope.deadline", True) == task.due:
                return True
            if scope == task.base:
                return False
            scope = self.layout.field(scope, "scope.parent")
        return False


def runtimes():
    layout = Layout()
    ring = layout.runtimes
    try:
        link = pointer(ring)
    except gdb.MemoryError as error:
        raise gdb.GdbError("nido's list of runtimes cannot be read: is the core file cut short?") from error
    found = []
    while link != ring and len(found) < MOST_RUNTIMES:
        try:
            loop = layout.field(link - layout.constant("rt.link"), "rt.loop")
            if loop:
                found.append(Runtime(layout, loop))
            link = pointer(link)
        except gdb.MemoryError:
            break
    if not found:
        raise gdb.GdbError("nido has no runtime here: nido_run has not begun, or is over")
    return found


def task_of(argument):
    """The runtime and the task with this number."""
    try:
        number = int(argument.lstrip("#"))
    except ValueError as error:
        raise gdb.GdbError(f'"{argument}" is no number of a task') from error
    for runtime in runtimes():
        if number in runtime.tasks:
            return runtime, runtime.tasks[number]
    raise gdb.GdbError(f"there is no task #{number}")


# ---- In words ----

def seconds(ns):
    ns = max(ns, 0)
    return f"{ns // 10**9}.{ns % 10**9 // 10**8} s"


def place(address):
    """program(function+0x12), as nido's reports have it."""
    symbol = gdb.execute(f"info symbol {address:#x}", to_string=True)
    found = re.match(r"(\S+?)(?:\(.*\))?(?: \+ (\d+))? in section \S+(?: of (.*))?", symbol)
    if not found:
        return f"{address:#x}" if address else "?"
    program = gdb.current_progspace().filename or "?"
    return f'{(found[3] or program).strip().rpartition("/")[2]}({found[1]}+{int(found[2] or 0):#x})'


def task_words(runtime, task):
    words = f'#{task.id} "{task.name}"' + ("  service" if task.service else "") + "  " + task.wait
    if task.due not in (NEVER, CANCELLED_NOW):
        words += f"  deadline in {seconds(task.due - runtime.now)}"
        words += "" if runtime.owns_deadline(task) else " (inherited)"
    return (words + task.cancel + f"  stack {(task.used + 1023) // 1024} of "
            f"{(task.top - task.bottom) // 1024} KiB  spawned at {task.place}")


def group_words(group):
    words = f'group "{group.name}"  {group.policy}  {group.live} {"child" if group.live == 1 else "children"}'
    words += f" of at most {group.limit}" if group.limit else ""
    if group.services:
        words += f'  {group.services} {"service" if group.services == 1 else "services"}'
    words += f"  failed: {group.failure}" if group.failure else ""
    return words + (f"  won by #{group.winner}" if group.winner else "") + group.cancel


class Tree:
    """The lines of a runtime's tree; equal subtrees are shown once and counted."""

    def __init__(self, runtime):
        self.runtime = runtime
        self.children = collections.defaultdict(list)
        self.signatures = {}
        for task in runtime.tasks.values():
            self.children[task.group].append(task)

    def lines(self):
        for task in self.children[0]:
            yield from self.task(task, "", "", 0)

    def signature(self, task):
        if task.id not in self.signatures:
            self.signatures[task.id] = None
            self.signatures[task.id] = (task.name, task.spawned_at, task.kind, bool(task.cancel), tuple(
                (group.name, group.policy, tuple(self.signature(child) for child in self.children[group.address]))
                for group in task.groups))
        return self.signatures[task.id]

    def task(self, task, prefix, inside, depth):
        yield prefix + task_words(self.runtime, task)
        yield from self.groups(task.groups, inside, depth, True)

    def groups(self, groups, prefix, depth, last):
        if not groups:
            return
        branch, inside = prefix + ("└─ " if last else "├─ "), prefix + ("   " if last else "│  ")
        if depth >= DEEPEST:
            yield branch + "(deeper groups are not drawn)"
            return
        yield branch + group_words(groups[0])
        entries = self.entries(groups[0])
        yield from self.groups(groups[1:], inside, depth + 1, not entries)
        for at, (task, more) in enumerate(entries):
            final = at == len(entries) - 1
            if more:
                yield inside + ("└─ " if final else "├─ ") + more
            else:
                yield from self.task(task, inside + ("└─ " if final else "├─ "),
                                     inside + ("   " if final else "│  "), depth + 1)

    def entries(self, group):
        """(task, None), and (task, how many more there are)."""
        kinds = collections.defaultdict(list)
        for task in self.children[group.address]:
            kinds[self.signature(task)].append(task)
        found = []
        for task in self.children[group.address]:
            alike = kinds[self.signature(task)]
            if len(alike) < FOLD_FROM:
                found.append((task, None))
            elif task is alike[0]:
                found += [(task, None), (task, self.more(alike))]
        return found

    def more(self, alike):
        ages = [self.runtime.now - task.since for task in alike]
        return (f"{len(alike) - 1} more like #{alike[0].id}, in this state for "
                f"{seconds(min(ages))[:-2]} to {seconds(max(ages))}")


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
    except gdb.MemoryError:
        return "(its stack cannot be read)\n"
    finally:
        unwinder.saved, unwinder.thread = before, thread
        gdb.invalidate_cached_frames()


# ---- Commands ----

def where_words(runtime):
    """An older library does not tell."""
    if not runtime.has_head:
        return ""
    field = runtime.layout.field
    number = field(runtime.loop, "loop.system_thread")
    names = [thread.name for thread in gdb.selected_inferior().threads() if thread.ptid[1] == number and thread.name]
    return (f', up {seconds(runtime.now - field(runtime.loop, "loop.began", True))}, thread {number}'
            + (f' "{names[0]}"' if names else ""))


def outside_words(runtime):
    if not runtime.has_head:
        return ""
    field = runtime.layout.field
    watches, out = field(runtime.loop, "loop.reactor.watching"), field(runtime.loop, "loop.expected")
    return (f'; {watches} {"watch" if watches == 1 else "watches"} on descriptors, '
            f'{out} {"job or child" if out == 1 else "jobs or children"} out')


def print_head(runtime):
    print(f'nido {runtime.layout.library}: runtime {runtime.number}{where_words(runtime)}: {runtime.live} '
          f'{"task" if runtime.live == 1 else "tasks"}, {runtime.ready} of them ready{outside_words(runtime)}')
    if runtime.torn:
        print(f"{runtime.torn} tasks are left out: damaged, or missing in the core file")


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
            print_head(runtime)
            for task in runtime.tasks.values():
                print(task_words(runtime, task))


class ShowTree(gdb.Command):
    """The tasks and groups of each runtime as a tree."""

    def __init__(self):
        super().__init__("nido tree", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for runtime in runtimes():
            print_head(runtime)
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

def quoted(value):
    return f'"{text(int(value))}"' if int(value) else "without a name"


def waiting(queue):
    """How many nodes are in a ring."""
    head, link, count = int(queue["nodes"].address), int(queue["nodes"]["next"]), 0
    while link and link != head and count < 10000:
        link, count = pointer(link), count + 1
    return f", {count} {'waiter' if count == 1 else 'waiters'}" if count else ""


def task_number(address):
    return f'#{Layout().field(int(address), "task.id")}'


def print_task(value):
    return f'task #{int(value["id"])}' if int(value["id"]) else "no task"


def print_scope(value):
    layout, flags, due = Layout(), int(value["flags"]), int(value["due"])
    words = "shield" if flags & layout.constant("scope.is_shield") else "scope"
    if flags & layout.constant("scope.is_cancelled"):
        words += f' cancelled ({int(value["code"])}): {text(int(value["reason"])) or "no reason given"}'
    elif due == CANCELLED_NOW:
        words += " cancelled from above"
    elif due != NEVER:
        words += f" due at {seconds(due)}"
    return words if int(value["task"]) else words + ", closed"


def print_group(value):
    policy = int(value["policy"])
    return (f'group {quoted(value["name"])}, {POLICIES[policy] if policy < len(POLICIES) else "?"}, '
            f'{int(value["live"])} children, {print_scope(value["scope"])}')


def print_mutex(value):
    owner = int(value["owner"])
    return (f'mutex {quoted(value["sync"]["name"])}, {"held by " + task_number(owner) if owner else "free"}'
            + waiting(value["sync"]["waiters"]))


def print_chan(value):
    return (f'channel {quoted(value["name"])}, {int(value["count"])} of {int(value["capacity"])} items'
            + waiting(value["senders"]) + " to send" * bool(waiting(value["senders"]))
            + waiting(value["receivers"]) + " to receive" * bool(waiting(value["receivers"])))


def print_rwlock(value):
    writer, readers = int(value["writer"]), int(value["readers"])
    held = f"written by {task_number(writer)}" if writer else f"{readers} readers" if readers else "free"
    return f'rwlock {quoted(value["sync"]["name"])}, {held}' + waiting(value["sync"]["waiters"])


def simple(what):
    return lambda value: f'{what} {quoted(value["sync"]["name"])}' + waiting(value["sync"]["waiters"])


PRINTERS = {"nido_task": print_task, "nido_scope": print_scope, "nido_group": print_group,
            "nido_mutex": print_mutex, "nido_chan": print_chan, "nido_rwlock": print_rwlock,
            "nido_event": simple("event"), "nido_sem": simple("semaphore"), "nido_cond": simple("condition"),
            "nido_barrier": simple("barrier"), "nido_once": simple("once")}


def printer(name):
    class Printer:
        def __init__(self, value):
            self.value = value

        def to_string(self):
            try:
                return PRINTERS[name](self.value)
            except (gdb.error, gdb.GdbError, KeyError) as error:
                return f"{name} ({error})"
    return Printer


collection = gdb.printing.RegexpCollectionPrettyPrinter("nido")
for type_name in PRINTERS:
    collection.add_printer(type_name, f"^{type_name}$", printer(type_name))
gdb.printing.register_pretty_printer(gdb.current_objfile(), collection, replace=True)
