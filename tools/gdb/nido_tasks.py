# SPDX-License-Identifier: MIT
"""The tasks of a program that uses nido, read from its memory as a debugger shows it: what the commands for gdb and
for lldb have in common. Nothing of the program is called or changed.

What lies where is read from the table that the library carries (src/coro/run/layout.h). The debugger itself is
behind an object that is given to use():

    Failure                a class of exceptions, for sentences to the user
    read(address, size)    bytes; OSError: not to be read
    table_address()        of the table; None: there is none
    place(address)         (program, function or None, offset); None: not known
    thread_names()         {the system's number: name}"""

import collections
import struct

VERSION = 1
MOST_RUNTIMES, MOST_SLOTS, MOST_INNER, MOST_ABOVE = 4096, 1 << 24, 4096, 16384
NEVER, CANCELLED_NOW = (1 << 63) - 1, -(1 << 63)
DEEPEST, FOLD_FROM = 24, 3
POLICIES = ["fail-fast", "wait-all", "race"]
debugger = None
shown = {} # for lldb: {number of a thread that it lists, for a task: count of stops of the process at that time}
threads = {} # for lldb: {number of a thread that is shown for a task: {register: value}}


def use(one):
    global debugger # pylint: disable=global-statement
    debugger = one


# ---- Memory, and the table that tells what lies where ----

def read(address, size):
    return debugger.read(address, size)


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
    except OSError:
        if not taken:
            return None
    return "".join("?" if ord(c) < 32 or ord(c) == 127 else c
                   for c in taken.split(b"\0")[0].decode(errors="replace"))


class Layout:
    def __init__(self):
        address = debugger.table_address()
        if address is None:
            raise debugger.Failure("no nido is found in this program; has it been started, and is it the right one?")
        try:
            head = struct.unpack("=8sIIIIQ16sQ", read(address, 56))
        except OSError as error:
            raise debugger.Failure("nido's table cannot be read: does the core file lack it?") from error
        magic, version, pointer_size, entry_size, count, entries_at, library, self.runtimes = head
        self.library = library.split(b"\0")[0].decode(errors="replace")
        if magic != b"nido-lay":
            raise debugger.Failure("nido's description of its structs is damaged")
        if version != VERSION:
            raise debugger.Failure(f"this program has nido {self.library}, which describes itself in version "
                               f"{version}; these commands know version {VERSION}: take those of nido "
                               f"{self.library}")
        if pointer_size != 8:
            raise debugger.Failure("a program of 32 bit: these commands know those of 64 bit")
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
            except (OSError, ValueError):
                self.torn += 1

    def slots(self):
        layout = self.layout
        made = layout.field(self.loop, "loop.slots.made")
        chunks, each = layout.field(self.loop, "loop.slots.chunks"), layout.constant("slots.chunk")
        for at in range(made if made <= MOST_SLOTS else 0):
            try:
                slot = pointer(chunks + at // each * 8) + at % each * layout.constant("slot.bytes")
                task, number = layout.field(slot, "slot.task"), layout.field(slot, "slot.id")
            except OSError:
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
    except OSError as error:
        raise debugger.Failure("nido's list of runtimes cannot be read: is the core file cut short?") from error
    found = []
    while link != ring and len(found) < MOST_RUNTIMES:
        try:
            loop = layout.field(link - layout.constant("rt.link"), "rt.loop")
            if loop:
                found.append(Runtime(layout, loop))
            link = pointer(link)
        except OSError:
            break
    if not found:
        raise debugger.Failure("nido has no runtime here: nido_run has not begun, or is over")
    return found


def task_of(argument):
    """The runtime and the task with this number."""
    try:
        number = int(argument.lstrip("#"))
    except ValueError as error:
        raise debugger.Failure(f'"{argument}" is no number of a task') from error
    for runtime in runtimes():
        if number in runtime.tasks:
            return runtime, runtime.tasks[number]
    raise debugger.Failure(f"there is no task #{number}")


# ---- In words ----

def seconds(ns):
    ns = max(ns, 0)
    return f"{ns // 10**9}.{ns % 10**9 // 10**8} s"


def place(address):
    """program(function+0x12), as nido's reports have it."""
    found = debugger.place(address)
    if not found:
        return f"{address:#x}" if address else "?"
    program, function, offset = found
    return f"{program}({function or ''}+{offset:#x})"


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


def where_words(runtime):
    """An older library does not tell."""
    if not runtime.has_head:
        return ""
    field = runtime.layout.field
    number = field(runtime.loop, "loop.system_thread")
    name = debugger.thread_names().get(number)
    return (f', up {seconds(runtime.now - field(runtime.loop, "loop.began", True))}, thread {number}'
            + (f' "{name}"' if name else ""))


def outside_words(runtime):
    if not runtime.has_head:
        return ""
    field = runtime.layout.field
    watches, out = field(runtime.loop, "loop.reactor.watching"), field(runtime.loop, "loop.expected")
    return (f'; {watches} {"watch" if watches == 1 else "watches"} on descriptors, '
            f'{out} {"job or child" if out == 1 else "jobs or children"} out')


def head_words(runtime):
    """One line, or two."""
    words = (f'nido {runtime.layout.library}: runtime {runtime.number}{where_words(runtime)}: {runtime.live} '
             f'{"task" if runtime.live == 1 else "tasks"}, {runtime.ready} of them ready{outside_words(runtime)}')
    if runtime.torn:
        words += f"\n{runtime.torn} tasks are left out: damaged, or missing in the core file"
    return words


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
