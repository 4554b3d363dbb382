#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Peer of nido-bench: Trio."""

import itertools
import socket
import sys

import trio

import peer


async def give_way(times):
    for _ in range(times):
        await trio.lowlevel.checkpoint()


async def ring(ask):
    """One turn of this one is a turn of every task."""
    async with trio.open_nursery() as nursery:
        for _ in range(ask.count - 1):
            nursery.start_soon(give_way, ask.warm_up + ask.rounds)
        await give_way(ask.warm_up)
        watch = peer.Watch()
        await give_way(ask.rounds)
        peer.say_per_operation(watch.ns(), ask.rounds * ask.count)


async def nothing():
    pass


async def spawn_and_join_once(count):
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(nothing)


async def spawn_and_join(ask):
    await spawn_and_join_once(ask.count)
    watch = peer.Watch()
    for _ in range(ask.rounds):
        await spawn_and_join_once(ask.count)
    peer.say_per_operation(watch.ns(), ask.rounds * ask.count)


async def ping_pong(ask):
    send_there, receive_there = trio.open_memory_channel(0)
    send_back, receive_back = trio.open_memory_channel(0)

    async def answer():
        for _ in range(ask.warm_up + ask.rounds):
            await send_back.send(await receive_there.receive())

    async def talk(times):
        for i in range(times):
            await send_there.send(i)
            await receive_back.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        await talk(ask.warm_up)
        watch = peer.Watch()
        await talk(ask.rounds)
        peer.say_per_operation(watch.ns(), ask.rounds * 2)


async def stream(ask):
    send, items = trio.open_memory_channel(128)

    async def produce():
        for i in range(ask.warm_up + ask.rounds):
            await send.send(i)

    async def receive(times):
        for _ in range(times):
            await items.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(produce)
        await receive(ask.warm_up)
        watch = peer.Watch()
        await receive(ask.rounds)
        peer.say_per_operation(watch.ns(), ask.rounds)


async def mutex_handoff(ask):
    mutex = trio.Lock()

    async def contend(times):
        for _ in range(times):
            async with mutex:
                await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(contend, ask.warm_up + ask.rounds)
        await contend(ask.warm_up)
        watch = peer.Watch()
        await contend(ask.rounds)
        peer.say_per_operation(watch.ns(), ask.rounds * ask.count)


async def with_timeout(ask):
    event = trio.Event()
    event.set()
    watch = peer.Watch()
    for _ in range(ask.rounds):
        with trio.fail_after(3600):
            await event.wait()
    peer.say_per_operation(watch.ns(), ask.rounds)


async def hello(_ask):
    async def greet():
        print("hello")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(greet)


async def timers(ask):
    async with trio.open_nursery() as nursery:
        for _ in range(ask.count):
            nursery.start_soon(trio.sleep, peer.draw_seconds())
        watch = peer.Watch()
    peer.say_cpu_and_wall(watch)


async def wake(ask):
    stdin = socket.socket(fileno=sys.stdin.fileno())
    waker = trio.SocketStream(trio.socket.from_stdlib_socket(stdin))
    over, wakes = False, peer.Wakes()

    async def busy():
        while not over:
            peer.work()
            await trio.sleep(0)

    async with trio.open_nursery() as nursery:
        for _ in range(ask.count):
            nursery.start_soon(busy)
        await waker.send_all(b"\0")
        while stamps := await waker.receive_some(512):
            wakes.note(stamps)
        over = True
    wakes.say()


async def park(nursery, count, never):
    """The order within a turn is random, so only the second one finds all of them parked."""
    for _ in range(count):
        nursery.start_soon(never.wait)
    await trio.lowlevel.checkpoint()
    await trio.lowlevel.checkpoint()


async def cancel_parked(count, never):
    async with trio.open_nursery() as nursery:
        await park(nursery, count, never)
        watch = peer.Watch()
        nursery.cancel_scope.cancel()
    return watch.ns()


async def memory(ask):
    async with trio.open_nursery() as nursery:
        await park(nursery, ask.count, trio.Event())
        peer.say_parked(ask)


async def cancel(ask):
    never = trio.Event()
    await cancel_parked(ask.count, never)
    ns = 0
    for _ in range(ask.rounds):
        ns += await cancel_parked(ask.count, never)
    peer.say_per_operation(ns, ask.rounds * ask.count)


async def serve(connection):
    try:
        while data := await connection.receive_some(512):
            await connection.send_all(data)
    except trio.BrokenResourceError:
        pass
    await connection.aclose()


async def take(connections):
    """Streams set TCP_NODELAY themselves."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    peer.say(port=listener.socket.getsockname()[1])
    async with trio.open_nursery() as nursery:
        for _ in connections:
            nursery.start_soon(serve, await listener.accept())


async def echo(ask):
    await take(range(ask.count))


async def churn(_ask):
    """Until it is killed."""
    await take(itertools.count())


CASES = {
    "switch": ring,
    "yield_1000": ring,
    "yield_100000": ring,
    "spawn_join": spawn_and_join,
    "spawn_10000": spawn_and_join,
    "chan_pingpong": ping_pong,
    "chan_stream": stream,
    "mutex_handoff": mutex_handoff,
    "with_timeout_ready": with_timeout,
    "wake_idle": wake,
    "wake_busy": wake,
    "startup": hello,
    "timers": timers,
    "cancel_1000": cancel,
    "cancel_100000": cancel,
    "memory_10000": memory,
    "memory_100000": memory,
    "echo_1": echo,
    "echo_100": echo,
    "echo_1000": echo,
    "echo_5000": echo,
    "churn": churn,
}

if __name__ == "__main__":
    peer.main(trio.__version__, CASES, trio.run)
