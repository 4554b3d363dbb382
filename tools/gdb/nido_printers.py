# SPDX-License-Identifier: MIT
"""What nido's public types are in words: for the printers of gdb and lldb.

A value is what the debugger has of an object: value["field"] is a field, int(value) a number or a pointer,
value.address where it lies. nido_tasks.use() has been called."""

from nido_tasks import CANCELLED_NOW, NEVER, POLICIES, Layout, pointer, seconds, text

MOST_NODES = 10000


def quoted(value):
    return f'"{text(int(value))}"' if int(value) else "without a name"


def waiting(queue, what=""):
    """How many nodes are in a ring."""
    head, link, count = int(queue["nodes"].address), int(queue["nodes"]["next"]), 0
    while link and link != head and count < MOST_NODES:
        link, count = pointer(link), count + 1
    return f", {count} {'waiter' if count == 1 else 'waiters'}{what}" if count else ""


def closed(value):
    return ", closed" * bool(int(value["closed"]))


def task_number(address):
    return f'#{Layout().field(int(address), "task.id")}'


def task_words(value):
    return f'task #{int(value["id"])}' if int(value["id"]) else "no task"


def scope_words(value):
    layout, flags, due = Layout(), int(value["flags"]), int(value["due"])
    words = "shield" if flags & layout.constant("scope.is_shield") else "scope"
    if flags & layout.constant("scope.is_cancelled"):
        words += f' cancelled ({int(value["code"])}): {text(int(value["reason"])) or "no reason given"}'
    elif due == CANCELLED_NOW:
        words += " cancelled from above"
    elif due != NEVER:
        words += f" due at {seconds(due)}"
    return words if int(value["task"]) else words + ", closed"


def group_words(value):
    policy = int(value["policy"])
    return (f'group {quoted(value["name"])}, {POLICIES[policy] if policy < len(POLICIES) else "?"}, '
            f'{int(value["live"])} children, {scope_words(value["scope"])}')


def sync_words(what, state=lambda value: ""):
    """Of an object with a name and a queue: what lies between the two."""
    return lambda value: (f'{what} {quoted(value["sync"]["name"])}{state(value)}' + waiting(value["sync"]["waiters"]))


def mutex_state(value):
    owner = int(value["owner"])
    return f', {"held by " + task_number(owner) if owner else "free"}'


def rwlock_state(value):
    writer, readers = int(value["writer"]), int(value["readers"])
    return f', {"written by " + task_number(writer) if writer else f"{readers} readers" if readers else "free"}'


def once_state(value):
    runner = int(value["runner"])
    return ", done" if int(value["done"]) == 1 else f", run by {task_number(runner)}" if runner else ""


def barrier_state(value):
    return ", aborted" if int(value["aborted"]) else f', {int(value["arrived"])} of {int(value["size"])} tasks'


def chan_words(value):
    return (f'channel {quoted(value["name"])}, {int(value["count"])} of {int(value["capacity"])} items'
            + waiting(value["senders"], " to send") + waiting(value["receivers"], " to receive"))


def broadcast_words(value):
    return f'broadcast {quoted(value["name"])}, {int(value["sent"])} sent{closed(value)}' + waiting(value["waiters"])


def watch_words(value):
    return f'watch {quoted(value["name"])}, version {int(value["version"])}{closed(value)}' + waiting(value["waiters"])


def latch_words(value):
    sync = value["queue"]["sync"]
    return f'latch {quoted(sync["name"])}, {int(value["count"])} to be done' + waiting(sync["waiters"])


def waitq_words(value):
    return f'queue {quoted(value["sync"]["name"])}' + waiting(value["sync"]["waiters"])


WORDS = {
    "nido_task": task_words, "nido_scope": scope_words, "nido_group": group_words, "nido_chan": chan_words,
    "nido_mutex": sync_words("mutex", mutex_state), "nido_rwlock": sync_words("rwlock", rwlock_state),
    "nido_event": sync_words("event", lambda value: ", set" * bool(int(value["set"]))),
    "nido_sem": sync_words("semaphore", lambda value: f', {int(value["count"])} of {int(value["max"])} free'
                                                      f'{closed(value)}'),
    "nido_limiter": sync_words("limiter", lambda value: f', {int(value["borrowed"])} of {int(value["capacity"])} '
                                                        'borrowed'),
    "nido_barrier": sync_words("barrier", barrier_state), "nido_once": sync_words("once", once_state),
    "nido_cond": sync_words("condition"), "nido_latch": latch_words, "nido_broadcast": broadcast_words,
    "nido_signal": sync_words("signals", lambda value: f', {int(value["count"])} pending' * bool(int(value["count"]))),
    "nido_watch": watch_words, "nido_waitq": waitq_words,
}
