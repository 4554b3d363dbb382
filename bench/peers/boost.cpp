/* SPDX-License-Identifier: MIT */
// boost.cpp: Boost.Fiber, with its own round-robin scheduler and pooled stacks. It has no I/O and no
// cancelling.
#include <boost/fiber/all.hpp>
#include <boost/version.hpp>
#include <chrono>
#include <vector>

#include "peer.h"

namespace fibers = boost::fibers;

enum { STACK = 64 * 1024, CAPACITY = 128 };

static fibers::pooled_fixedsize_stack stacks(STACK);

template <typename F> static fibers::fiber spawn(F fn)
{
    return fibers::fiber(fibers::launch::post, std::allocator_arg, stacks, std::move(fn));
}

template <typename F> static void spawn_many(std::vector<fibers::fiber> &all, long count, F fn)
{
    for (long i = 0; i < count; i++) all.push_back(spawn(fn));
}

static void join_many(std::vector<fibers::fiber> &all)
{
    for (auto &fiber : all) fiber.join();
    all.clear();
}

static void give_way(long times)
{
    for (long i = 0; i < times; i++) boost::this_fiber::yield();
}

// One turn of this one is a turn of every task.
static void ring(const ask *ask)
{
    std::vector<fibers::fiber> others;
    spawn_many(others, ask->count - 1, [ask] { give_way(ask->warm_up + ask->rounds); });
    give_way(ask->warm_up);
    int64_t start = now_ns();
    give_way(ask->rounds);
    say_per_operation(now_ns() - start, ask->rounds * ask->count);
    join_many(others);
}

static void spawn_and_join(const ask *ask)
{
    std::vector<fibers::fiber> all;
    int64_t start = 0;
    all.reserve((size_t)ask->count);
    for (long i = -1; i < ask->rounds; i++) {
        if (i == 0) start = now_ns();
        spawn_many(all, ask->count, [] {});
        join_many(all);
    }
    say_per_operation(now_ns() - start, ask->rounds * ask->count);
}

static void pingpong(const ask *ask)
{
    fibers::unbuffered_channel<long> there, back;
    fibers::fiber other = spawn([&] {
        long item;
        for (long i = 0; i < ask->warm_up + ask->rounds; i++) {
            there.pop(item);
            back.push(item);
        }
    });
    auto talk = [&](long times) {
        long item;
        for (long i = 0; i < times; i++) {
            there.push(i);
            back.pop(item);
        }
    };
    talk(ask->warm_up);
    int64_t start = now_ns();
    talk(ask->rounds);
    say_per_operation(now_ns() - start, ask->rounds * 2);
    other.join();
}

static void stream(const ask *ask)
{
    fibers::buffered_channel<long> channel(CAPACITY);
    fibers::fiber producer = spawn([&] {
        for (long i = 0; i < ask->warm_up + ask->rounds; i++) channel.push(i);
    });
    auto receive = [&](long times) {
        long item;
        for (long i = 0; i < times; i++) channel.pop(item);
    };
    receive(ask->warm_up);
    int64_t start = now_ns();
    receive(ask->rounds);
    say_per_operation(now_ns() - start, ask->rounds);
    producer.join();
}

static void mutex_handoff(const ask *ask)
{
    fibers::mutex mutex;
    auto contend = [&](long times) {
        for (long i = 0; i < times; i++) {
            std::unique_lock<fibers::mutex> lock(mutex);
            boost::this_fiber::yield();
        }
    };
    fibers::fiber other = spawn([&] { contend(ask->warm_up + ask->rounds); });
    contend(ask->warm_up);
    int64_t start = now_ns();
    contend(ask->rounds);
    say_per_operation(now_ns() - start, ask->rounds * ask->count);
    other.join();
}

static void hello(const ask *)
{
    spawn([] { puts("hello"); }).join();
}

static void timers(const ask *ask)
{
    unsigned short seed[3] = {1, 2, 3};
    std::vector<fibers::fiber> all;
    spawn_many(all, ask->count, [&] {
        boost::this_fiber::sleep_for(std::chrono::milliseconds(1 + nrand48(seed) % 1000));
    });
    int64_t cpu = cpu_ns(), start = now_ns();
    join_many(all);
    say_cpu_and_wall(cpu_ns() - cpu, now_ns() - start);
}

static void memory(const ask *ask)
{
    fibers::unbuffered_channel<long> never;
    std::vector<fibers::fiber> all;
    spawn_many(all, ask->count, [&] {
        long item;
        never.pop(item);
    });
    boost::this_fiber::yield();
    say_parked(ask);
}

int main(int argc, char **argv)
{
    static const peer_case cases[] = {
        {"switch", ring},
        {"yield_1000", ring},
        {"yield_100000", ring},
        {"spawn_join", spawn_and_join},
        {"spawn_10000", spawn_and_join},
        {"chan_pingpong", pingpong},
        {"chan_stream", stream},
        {"mutex_handoff", mutex_handoff},
        {"startup", hello},
        {"timers", timers},
        {"memory_10000", memory},
        {"memory_100000", memory},
        {"memory_1000000", memory},
        {nullptr, nullptr},
    };
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", BOOST_VERSION / 100000,
             BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100);
    return peer_main(argc, argv, version, cases);
}
