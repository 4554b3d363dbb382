# SPDX-License-Identifier: MIT
"""Each system call of each program fails once, with what its manual page allows, or is late, or moves
fewer bytes. Failures and delays come from strace; it skips the call, so a close that fails and a
short transfer, which have to happen, come from preload.c."""

import errno
import re

from outside import in_turns
from calls import own_calls

# What a correct program may meet. Left out is what only a wrong argument brings (EBADF, EFAULT, most
# of EINVAL), and what would make a lie of it: EAGAIN of a socket that has bytes, or an entry of
# epoll's set that is there.
ERRORS = {
    "accept4": "EMFILE ENFILE ENOMEM ENOBUFS ECONNABORTED EPROTO EPERM EINTR",
    "bind": "EADDRINUSE EACCES EADDRNOTAVAIL",
    "clone": "EAGAIN ENOMEM",
    "clone3": "EAGAIN ENOMEM",
    "connect": "ECONNREFUSED ETIMEDOUT ENETUNREACH EADDRNOTAVAIL EACCES EPERM",
    "epoll_create1": "EMFILE ENFILE ENOMEM",
    "epoll_ctl": "ENOMEM ENOSPC",
    "epoll_pwait2": "EINTR ENOSYS EPERM",
    "epoll_wait": "EINTR",
    "eventfd2": "EMFILE ENFILE ENOMEM ENODEV",
    "execve": "EACCES ENOENT ENOMEM ETXTBSY EIO",
    "fstat": "ENOMEM",
    "futex": "EINTR",  # of a wait alone
    "getdents64": "EIO",
    "getrandom": "EINTR ENOSYS",
    "getsockname": "ENOBUFS",
    "getsockopt": "ENOMEM",
    "kill": "EPERM ESRCH",
    "listen": "EADDRINUSE",
    "madvise": "EAGAIN ENOMEM EINVAL",
    "mmap": "ENOMEM EAGAIN",
    "mprotect": "ENOMEM",
    "munmap": "ENOMEM",
    "newfstatat": "ENOMEM",
    "openat": "EMFILE ENFILE ENOMEM EACCES EINTR EIO",
    "pidfd_open": "EMFILE ENFILE ENOMEM ENODEV ENOSYS",
    "pidfd_send_signal": "ENOSYS",
    "pipe2": "EMFILE ENFILE",
    "poll": "EINTR ENOMEM",
    "prctl": "EINVAL",
    "preadv2": "EAGAIN EIO EOPNOTSUPP EINTR ENOSYS",
    "process_madvise": "EINVAL EPERM ENOSYS EAGAIN ENOMEM",
    "pwritev2": "EAGAIN EIO ENOSPC EOPNOTSUPP EINTR ENOSYS",
    "read": "EINTR EIO",
    "readv": "EINTR EIO",
    "recvfrom": "EINTR ECONNRESET ETIMEDOUT ENOMEM",
    "recvmsg": "EINTR ECONNRESET ENOMEM",
    "sched_getaffinity": "ENOSYS",
    "sendfile": "EINTR EIO ENOMEM",
    "sendmsg": "EINTR ENOBUFS ENOMEM",
    "sendto": "EINTR EPIPE ECONNRESET ENOBUFS ENOMEM",
    "setpgid": "EACCES EPERM",
    "setsockopt": "ENOMEM ENOBUFS",
    "shutdown": "ENOTCONN ENOBUFS",
    "socket": "EMFILE ENFILE ENOBUFS ENOMEM EACCES EAFNOSUPPORT",
    "socketpair": "EMFILE ENFILE ENOMEM",
    "timerfd_create": "EMFILE ENFILE ENOMEM",
    "vfork": "EAGAIN ENOMEM",
    "wait4": "EINTR",
    "waitid": "EINTR",
    "write": "EINTR EIO ENOSPC",
    "writev": "EINTR EIO ENOSPC",
}
DELAYS = {"enter": "delay_enter=30000", "exit": "delay_exit=30000"}  # microseconds
NOT_DELAYED = {"exit", "exit_group", "rt_sigreturn", "execve", "restart_syscall"}
MOVED = {"read", "readv", "write", "writev", "recv", "send", "sendfile", "preadv2", "pwritev2"}
MOST = 6  # positions of one call in one program

def chosen(random, numbers):
    """The first, the last, and some others."""
    numbers = sorted(numbers)
    if len(numbers) <= MOST:
        return numbers
    return [numbers[0], numbers[-1], *random.sample(numbers[1:-1], MOST - 2)]


def may_fail(program, call, error, rest):
    if call in ("write", "writev"):
        return error == "EINTR" or "[eventfd]" not in rest
    if call == "read" and error != "EINTR":
        return "[eventfd]" not in rest and "[timerfd]" not in rest
    if call == "epoll_ctl":
        return "EPOLL_CTL_ADD" in rest
    return call != "futex" or "FUTEX_WAIT" in rest


def prints(program, call, numbers):
    """A program that prints by stdio looks at no result, as programs do: what it prints is left alone. Which of its
    writes that is depends on how its threads run, so all of them are."""
    return program.stdio and call in ("write", "writev") and any(
        re.match("[12][,<]", rest) for lines in numbers.values() for rest in lines)


def by_strace(outside, program, call, numbers):
    errors = "" if prints(program, call, numbers) else ERRORS.get(call, "")
    for number in chosen(outside.random, numbers):
        for error in errors.split():
            if not all(may_fail(program, call, error, rest) for rest in numbers[number]):
                continue
            yield program, f"{call}:{error}:{number}", strace(call, f"error={error}", number)
        if call not in NOT_DELAYED:
            for name, delay in DELAYS.items():
                yield program, f"{call}:{name}:{number}", strace(call, delay, number)


def strace(call, what, number):
    return {"wrap": ["strace", "-D", "-f", "-qqq", "--seccomp-bpf", "-o", "/dev/null", "-e", f"trace={call}",
                     "-e", f"inject={call}:{what}:when={number}"]}


def by_preload(outside, program, call, count):
    errors = ["EINTR", "EIO"] if call == "close" else [""] if call in MOVED else []
    for number in chosen(outside.random, range(1, count + 1)):
        for error in errors:
            what = f"{call}:{error or 'short'}:{number}"
            yield program, what, {"env": {"OUTSIDE_ORDER": f"{call}:{getattr(errno, error, 0)}:{number}"}}


def trials_of(outside, program):
    """One list for each call."""
    folder = outside.new_folder()
    folder.mkdir()
    counts = folder / "counts"
    found = own_calls(outside, program, counts)
    if found is None:
        return
    for call, numbers in sorted(found.items()):
        yield list(by_strace(outside, program, call, numbers))
    for line in counts.read_text().splitlines():
        call, count = line.split()
        yield list(by_preload(outside, program, call, int(count)))


def play(outside):
    lists = [group for program in outside.programs() for group in trials_of(outside, program)]
    outside.try_all(in_turns(outside.random, lists))
