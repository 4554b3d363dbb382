/* SPDX-License-Identifier: MIT */
// Every macro of nido/sugar.h, used from C++. Prints what does not hold; 0 if all does.
#include <cstdio>
#include <fcntl.h>
#include <nido.h>
#include <nido/sugar.h>

static int failures;

#define EXPECT(x) ((x) ? (void)0 : complain(#x, __LINE__))

static void complain(const char *what, int line)
{
    std::printf("sugar.cc:%d: %s does not hold\n", line, what);
    failures++;
}

struct point {
    int x, y;
};

NIDO_CHAN_TYPE(points, point);

struct add_args {
    int left, right;
    int *sum;
};

static int add(void *arg)
{
    const add_args *args = static_cast<add_args *>(arg);
    *args->sum = args->left + args->right;
    return nido_yield();
}

static int sleep_long(void *)
{
    return nido_sleep(NIDO_SEC(3600));
}

static void spawn_with_arguments()
{
    int first = 0, second = 0;
    nido_group group;
    nido_group_open(&group, NIDO_WAIT_ALL, "sums");
    EXPECT(NIDO_SPAWN(&group, add, 1, 2, &first) == 0);
#if __cplusplus >= 202002L
    EXPECT(NIDO_SPAWN(&group, add, .left = 3, .right = 4, .sum = &second) == 0);
#else
    EXPECT(NIDO_SPAWN(&group, add, 3, 4, &second) == 0);
#endif
    EXPECT(nido_group_close(&group, 0) == 0);
    EXPECT(first == 3 && second == 7);
}

static int leave_blocks()
{
    int number;
    {
        NIDO_SCOPED_FD fd = nido_open("/dev/null", O_RDONLY, 0);
        NIDO_SCOPED_GROUP(group, NIDO_FAIL_FAST);
        EXPECT(nido_spawn(&group, sleep_long, nullptr) == 0);
        number = fd;
    }
    return number;
}

static const nido_value_key request = NIDO_VALUE_KEY_INIT("request", NIDO_VALUE_TEXT);

static const char *request_of_caller()
{
    return static_cast<const char *>(nido_value_get(&request));
}

static void leave_values()
{
    const char *outer = "outer", *texts[] = {"one", "two"};
    {
        NIDO_SCOPED_VALUE(id, &request, outer);
        for (const char *text : texts) {
            NIDO_SCOPED_VALUE(inner, &request, text);
            EXPECT(request_of_caller() == text);
            if (*text == 'o') continue;
            EXPECT(nido_value_close(&inner) == 0);
            EXPECT(request_of_caller() == outer);
        }
        EXPECT(request_of_caller() == outer);
    }
    EXPECT(request_of_caller() == nullptr);
}

static void send_typed()
{
    point item = {0, 0};
    nido_chan *chan = nullptr;
    EXPECT(points_new(2, nullptr, nullptr, &chan) == 0);
    EXPECT(points_send(chan, point{1, 2}) == 0);
    EXPECT(points_try_send(chan, point{3, 4}) == 0);
    EXPECT(points_recv(chan, &item) == 0 && item.x == 1 && item.y == 2);
    EXPECT(points_try_recv(chan, &item) == 0 && item.x == 3 && item.y == 4);
    nido_chan_free(chan);
}

static void call_with_timeout()
{
    EXPECT(NIDO_TIMEOUT(NIDO_MS(1), nido_sleep(NIDO_SEC(60))) == -ETIMEDOUT);
    EXPECT(NIDO_TIMEOUT(NIDO_SEC(60), nido_yield()) == 0);
}

static int everything(void *)
{
    call_with_timeout();
    spawn_with_arguments();
    EXPECT(fcntl(leave_blocks(), F_GETFD) < 0);
    send_typed();
    leave_values();
    return 0;
}

int main()
{
    EXPECT(nido_run(everything, nullptr, nullptr) == 0);
    return failures != 0;
}
