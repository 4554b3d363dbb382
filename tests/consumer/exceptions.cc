/* SPDX-License-Identifier: MIT */
// C++ on tasks: exceptions that are handled or in flight while their task is parked stay with it, and
// one that leaves a task ends the program with a sentence. Prints what does not hold; 0 if all does.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <nido.h>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int failures;

#define EXPECT(x) ((x) ? (void)0 : complain(#x, __LINE__))

static void complain(const char *what, int line)
{
    std::printf("exceptions.cc:%d: %s does not hold\n", line, what);
    failures++;
}

static nido_options virtual_clock()
{
    nido_options options;
    nido_options_init(&options);
    options.clock = NIDO_CLOCK_VIRTUAL;
    return options;
}

static int run(nido_fn *fn, void *arg = nullptr)
{
    nido_options options = virtual_clock();
    return nido_run(fn, arg, &options);
}

// Runs fn in n tasks, each with its own number.
template <int n> static int crowd(nido_fn *fn)
{
    static int numbers[n];
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "crowd");
    for (int i = 0; i < n; i++) {
        numbers[i] = i;
        EXPECT(nido_spawn(&group, fn, &numbers[i]) == 0);
    }
    return nido_group_close(&group, 0);
}

// ---- Parked inside a catch block ----

static int rethrow(void *arg)
{
    const std::string mine = std::to_string(*static_cast<int *>(arg));
    try {
        try {
            throw std::runtime_error(mine);
        } catch (const std::exception &) {
            // The later a task begins, the earlier it goes on.
            EXPECT(nido_sleep(NIDO_MS(100 - *static_cast<int *>(arg))) == 0);
            throw;
        }
    } catch (const std::exception &caught) {
        EXPECT(mine == caught.what());
    }
    EXPECT(!std::current_exception());
    return 0;
}

static int all_rethrow(void *)
{
    return crowd<20>(rethrow);
}

static int nest(void *arg)
{
    const int mine = *static_cast<int *>(arg);
    for (int round = 0; round < 20; round++) {
        try {
            throw mine;
        } catch (int outer) {
            EXPECT(nido_yield() == 0);
            try {
                throw std::to_string(mine + round);
            } catch (const std::string &inner) {
                for (int i = 0; i < mine % 3; i++) EXPECT(nido_yield() == 0);
                EXPECT(inner == std::to_string(mine + round));
            }
            try {
                std::rethrow_exception(std::current_exception());
            } catch (int again) {
                EXPECT(again == mine);
            }
            EXPECT(outer == mine);
        }
    }
    return 0;
}

static int all_nest(void *)
{
    return crowd<50>(nest);
}

// ---- Parked while an exception is in flight ----

struct Parks {
    ~Parks()
    {
        EXPECT(std::uncaught_exceptions() == 1);
        EXPECT(nido_sleep(NIDO_SEC(1)) == 0);
        EXPECT(std::uncaught_exceptions() == 1);
    }
};

static int unwind_slowly(void *)
{
    try {
        Parks parks;
        throw 1;
    } catch (int caught) {
        EXPECT(caught == 1);
    }
    EXPECT(std::uncaught_exceptions() == 0);
    return 0;
}

static int look_meanwhile(void *)
{
    for (int i = 0; i < 30; i++) {
        EXPECT(std::uncaught_exceptions() == 0);
        EXPECT(!std::current_exception());
        EXPECT(nido_sleep(NIDO_MS(100)) == 0);
    }
    return 0;
}

static int unwind_and_look(void *)
{
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "in flight");
    for (int i = 0; i < 3; i++) EXPECT(nido_spawn(&group, unwind_slowly, nullptr) == 0);
    EXPECT(nido_spawn(&group, look_meanwhile, nullptr) == 0);
    return nido_group_close(&group, 0);
}

// ---- Around a run, and cancelled ----

static int sleep_in_a_handler(void *)
{
    try {
        throw 7;
    } catch (int) {
        EXPECT(nido_sleep(NIDO_NEVER) == -ECANCELED);
        try {
            throw;
        } catch (int again) {
            EXPECT(again == 7);
        }
        return -ECANCELED;
    }
}

static int cancel_a_handler(void *)
{
    EXPECT(!std::current_exception());
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "handlers");
    EXPECT(nido_spawn(&group, sleep_in_a_handler, nullptr) == 0);
    EXPECT(nido_sleep(1) == 0);
    nido_group_cancel(&group, 0, "enough");
    return nido_group_close(&group, 0);
}

static void run_inside_a_handler()
{
    try {
        try {
            throw std::string("outside");
        } catch (const std::string &) {
            EXPECT(run(cancel_a_handler) == 0);
            throw;
        }
    } catch (const std::string &caught) {
        EXPECT(caught == "outside");
    }
}

// ---- Not caught at all ----

static int throw_it(void *)
{
    nido_set_name("careless");
    EXPECT(nido_yield() == 0);
    throw std::runtime_error("boom");
}

static int throw_in_a_child(void *)
{
    return crowd<1>(throw_it);
}

static int rethrow_it(void *)
{
    try {
        return throw_it(nullptr);
    } catch (...) {
        EXPECT(nido_sleep(1) == 0);
        throw;
    }
}

static int throw_between_batches(void *)
{
    nido_rt *rt = nido_rt_self();
    EXPECT(nido_post(rt, throw_it, nullptr) == 0);
    nido_rt_release(rt);
    return nido_sleep(1);
}

// What fn says on stderr before it ends the program by SIGABRT.
static std::string last_words(nido_fn *fn)
{
    std::string words;
    char buffer[4096];
    ssize_t got;
    int ends[2], status = 0;

    EXPECT(pipe(ends) == 0);
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        const rlimit none = {};
        setrlimit(RLIMIT_CORE, &none);
        dup2(ends[1], STDERR_FILENO);
        try {
            run(fn);
        } catch (...) {
            std::fputs("it came through\n", stderr);
        }
        _exit(0);
    }
    close(ends[1]);
    while ((got = read(ends[0], buffer, sizeof buffer)) > 0)
        words.append(buffer, static_cast<std::size_t>(got));
    close(ends[0]);
    EXPECT(waitpid(child, &status, 0) == child);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    return words;
}

static void expect_last_words(nido_fn *fn, const char *who)
{
    const std::string words = last_words(fn);
    for (const char *part : {"nido: a C++ exception left ", who, ": exceptions must be caught inside\n", "std::runtime_error", "boom"})
        if (words.find(part) == std::string::npos) {
            std::printf("\"%s\" is missing in:\n%s", part, words.c_str());
            failures++;
        }
}

int main()
{
    EXPECT(run(all_rethrow) == 0);
    EXPECT(run(all_nest) == 0);
    EXPECT(run(unwind_and_look) == 0);
    run_inside_a_handler();
    expect_last_words(throw_it, " \"careless\", spawned at ");
    expect_last_words(throw_in_a_child, " \"careless\", spawned at ");
    expect_last_words(rethrow_it, " \"careless\", spawned at ");
    expect_last_words(throw_between_batches, "left a function that the loop called");
    return failures != 0;
}
