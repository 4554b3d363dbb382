#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Peer of nido-bench: asyncio. It has no channel without a buffer: a queue of one stands for it."""

import asyncio
import math
import platform
import socket
import sys

import peer


async def give_way(times):
    for _ in range(times):
        await asyncio.sleep(0)


async def ring(ask):
    """One turn of this one is a turn of every task."""
    async with asyncio.TaskGroup() as group:
        for _ in range(ask.count - 1):
            group.create_task(give_way(ask.warm_up + ask.rounds))
        await give_way(ask.warm_up)
        watch = peer.Watch()
        await give_way(ask.rounds)
        peer.say_per_operation(watch.ns(), ask.rounds * ask.count)


async def nothing():
    pass


async def spawn_and_join_once(count):
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(nothing())


async def spawn_and_join(ask):
    await spawn_and_join_once(ask.count)
    watch = peer.Watch()
    for _ in range(ask.rounds):
        await spawn_and_join_once(ask.count)
    peer.say_per_operation(watch.ns(), ask.rounds * ask.count)


async def ping_pong(ask):
    there, back = asyncio.Queue(1), asyncio.Queue(1)

    async def answer():
        for _ in range(ask.warm_up + ask.rounds):
            await back.put(await there.get())

    async def talk(times):
        for i in range(times):
            await there.put(i)
            await back.get()

    async with asyncio.TaskGroup() as group:
        group.create_task(answer())
        await talk(ask.warm_up)
        watch = peer.Watch()
        await talk(ask.rounds)
        peer.say_per_operation(watch.ns(), ask.rounds * 2)


async def stream(ask):
    items = asyncio.Queue(128)

    async def produce():
        for i in range(ask.warm_up + ask.rounds):
            await items.put(i)

    async def receive(times):
        for _ in range(times):
            await items.get()

    async with asyncio.TaskGroup() as group:
        group.create_task(produce())
        await receive(ask.warm_up)
        watch = peer.Watch()
        await receive(ask.rounds)
        peer.say_per_operation(watch.ns(), ask.rounds)


async def mutex_handoff(ask):
    mutex = asyncio.Lock()

    async def contend(times):
        for _ in range(times):
            async with mutex:
                await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        group.create_task(contend(ask.warm_up + ask.rounds))
        await contend(ask.warm_up)
        watch = peer.Watch()
        await contend(ask.rounds)
        peer.say_per_operation(watch.ns(), ask.rounds * ask.count)


async def with_timeout(ask):
    event = asyncio.Event()
    event.set()
    watch = peer.Watch()
    for _ in range(ask.rounds):
        async with asyncio.timeout(3600):
            await event.wait()
    peer.say_per_operation(watch.ns(), ask.rounds)


async def hello(_ask):
    async def greet():
        print("hello")

    async with asyncio.TaskGroup() as group:
        group.create_task(greet())


async def timers(ask):
    async with asyncio.TaskGroup() as group:
        for _ in range(ask.count):
            group.create_task(asyncio.sleep(peer.draw_seconds()))
        watch = peer.Watch()
    peer.say_cpu_and_wall(watch)


async def wake(ask):
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=sys.stdin.fileno()))
    over, wakes = False, peer.Wakes()

    async def busy():
        while not over:
            peer.work()
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for _ in range(ask.count):
            group.create_task(busy())
        writer.write(b"\0")
        while stamps := await reader.read(512):
            wakes.note(stamps)
        over = True
    wakes.say()


async def park(count, never):
    tasks = [asyncio.create_task(never.wait()) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def memory(ask):
    await park(ask.count, asyncio.Event())
    peer.say_parked(ask)


async def cancel_parked(count, never):
    tasks = await park(count, never)
    watch = peer.Watch()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return watch.ns()


async def cancel(ask):
    never = asyncio.Event()
    await cancel_parked(ask.count, never)
    ns = 0
    for _ in range(ask.rounds):
        ns += await cancel_parked(ask.count, never)
    peer.say_per_operation(ns, ask.rounds * ask.count)


async def echo(ask):
    """Streams set TCP_NODELAY themselves."""
    open_connections, all_closed = ask.count, asyncio.Event()

    async def serve(reader, writer):
        nonlocal open_connections
        try:
            while data := await reader.read(512):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()
        open_connections -= 1
        if not open_connections:
            all_closed.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=socket.SOMAXCONN)
    peer.say(port=server.sockets[0].getsockname()[1])
    await all_closed.wait()


async def churn(ask):
    """Until it is killed."""
    ask.count = math.inf
    await echo(ask)


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
    peer.main(platform.python_version(), CASES, lambda case, ask: asyncio.run(case(ask)))
