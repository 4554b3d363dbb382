/* SPDX-License-Identifier: MIT */
/* A million operations on channels, events and a semaphore, by calls and by selects, cancelled and closed at random,
 * each compared with what the model says: who is served, with what, in which order. And the sums: what was sent was
 * received, dropped or is left; all permits come back. */
#include "sync_model.h"
#include "sync/select.h"

/* ---- Waiting operations ---- */

/* How it must end if it ends at once: NOTHING if it waits. */
static void predict_call(struct actor *self)
{
    struct model_op *op = &self->op;

    op->index = NOTHING;
    if (self->cancelled)
        op->status = -ECANCELED;
    else if (model_ready(&world.model, op, 0) == -EAGAIN)
        model_enlist(&world.model, op, 0);
    else
        model_do(&world.model, op, 0);
}

static void account(struct actor *self, int arm)
{
    const struct model_op *op = &self->op;
    enum model_kind kind = op->arms[arm].kind;
    int object = op->arms[arm].object;

    if (kind == SEND) world.sent += op->sent;
    if (kind == RECV) world.received += op->got;
    if (kind == ACQUIRE) self->borrowed += object;
    if (kind == RESERVE && self->births[object] == world.births[object]) self->places[object]++;
}

static void expect_end(struct actor *self, int index, int status, uint64_t got)
{
    const struct model_op *op = &self->op;

    if (op->waiting) complain("a call has returned %d that should wait", status);
    compare("arm", index, op->index);
    compare("status", status, op->status);
    if (world.complaint[0] || index < 0 || status) return;
    if (op->arms[index].kind == RECV) compare("item", (int64_t)got, (int64_t)op->got);
    account(self, index);
}

static int call(struct actor *self, uint64_t *got)
{
    int object = self->op.arms[0].object;

    switch (self->op.arms[0].kind) {
    case SEND:
        return nido_chan_send(world.chans[object], &self->op.sent);
    case RECV:
        return nido_chan_recv(world.chans[object], got);
    case RESERVE:
        return nido_chan_reserve(world.chans[object]);
    case EVENT:
        return nido_event_wait(&world.events[object]);
    default:
        return nido_sem_acquire_n(&world.sem, (uint32_t)object);
    }
}

static void choose_arm(struct model_op *op, bool selecting)
{
    enum model_kind kind = (enum model_kind)below(5);
    int object = kind == EVENT ? below(MODEL_EVENTS) : below(MODEL_CHANS);

    if (kind == ACQUIRE) object = selecting ? 1 : 1 + below(2);
    if (kind == RESERVE && below(2)) kind = RECV;
    op->arms[op->n].kind = kind;
    op->arms[op->n++].object = object;
}

static void act_call(struct actor *self)
{
    uint64_t got = 0;
    int status;

    self->op = (struct model_op){.sent = ++world.next_item};
    choose_arm(&self->op, false);
    predict_call(self);
    status = call(self, &got);
    expect_end(self, status == -ECANCELED ? NOTHING : 0, status, got);
}

static void make_arm(struct actor *self, nido_arm *arm, int i, uint64_t *got)
{
    int object = self->op.arms[i].object;

    switch (self->op.arms[i].kind) {
    case SEND:
        nido_arm_send(arm, world.chans[object], &self->op.sent);
        break;
    case RECV:
        nido_arm_recv(arm, world.chans[object], got);
        break;
    case RESERVE:
        nido_arm_reserve(arm, world.chans[object]);
        break;
    case EVENT:
        nido_arm_event(arm, &world.events[object]);
        break;
    default:
        nido_arm_sem(arm, &world.sem);
    }
}

/* In the order that the select is about to draw. */
static void line_up_as_drawn(struct model_op *op, unsigned flags)
{
    uint64_t random = nidoi_loop_self()->random;
    struct nidoi_arm_order order = nidoi_arm_order_draw(&random, (size_t)op->n, flags);

    for (uint32_t i = 0; i <= order.mask; i++) {
        int arm = (int)nidoi_arm_order_number(&order, i);

        if (arm < op->n) model_enlist(&world.model, op, arm);
    }
}

/* True if it cannot be done at once, and waits in the model unless it may not. */
static bool predict_select(struct actor *self, unsigned flags)
{
    struct model_op *op = &self->op;

    op->index = NOTHING;
    op->status = -ECANCELED;
    if (self->cancelled) return true;
    for (int i = 0; i < op->n; i++)
        if (model_ready(&world.model, op, i) != -EAGAIN) return false;
    op->status = -EAGAIN;
    if (!(flags & NIDO_POLL)) line_up_as_drawn(op, flags);
    return true;
}

/* The select has done something at once: was it one of the possible things? */
static void follow_select(struct actor *self, int index, unsigned flags)
{
    int first = 0;

    while (model_ready(&world.model, &self->op, first) == -EAGAIN) first++;
    if (index < first || model_ready(&world.model, &self->op, index) == -EAGAIN ||
        (flags & NIDO_PRIORITY && index > first))
        complain("select has chosen arm %d, the first that was ready is %d", index, first);
    else
        model_do(&world.model, &self->op, index);
}

static void act_select(struct actor *self)
{
    unsigned flags = (unsigned)below(8) & (below(3) ? NIDO_PRIORITY : NIDO_POLL | NIDO_PRIORITY);
    uint64_t got[MODEL_ARMS] = {0};
    nido_arm arms[MODEL_ARMS];
    bool stuck;
    int index;

    self->op = (struct model_op){.sent = ++world.next_item};
    for (int i = 1 + below(MODEL_ARMS); i > 0; i--) choose_arm(&self->op, true);
    for (int i = 0; i < self->op.n; i++) make_arm(self, &arms[i], i, &got[i]);
    stuck = predict_select(self, flags);
    index = nido_select(arms, (size_t)self->op.n, flags);
    if (!stuck) follow_select(self, index, flags);
    expect_end(self, index < 0 ? NOTHING : index, index < 0 ? index : arms[index].status,
               index < 0 ? 0 : got[index]);
    for (int i = 0; i < self->op.n; i++)
        if (i != index) compare("an arm that was not done", (int64_t)got[i], 0);
}

/* ---- What never waits ---- */

static void act_try(struct actor *self)
{
    int object = below(MODEL_CHANS), status;
    uint64_t got = 0;

    self->op = (struct model_op){.sent = ++world.next_item, .n = 1, .index = NOTHING};
    self->op.arms[0].kind = below(2) ? SEND : RECV;
    self->op.arms[0].object = object;
    self->op.status = model_ready(&world.model, &self->op, 0);
    if (self->op.status != -EAGAIN) model_do(&world.model, &self->op, 0);
    status = self->op.arms[0].kind == SEND ? nido_chan_try_send(world.chans[object], &self->op.sent)
                                           : nido_chan_try_recv(world.chans[object], &got);
    expect_end(self, status == -EAGAIN ? NOTHING : 0, status, got);
}

static void act_place(struct actor *self)
{
    int object = below(MODEL_CHANS);
    struct model_chan *chan = &world.model.chans[object];
    bool open = chan->send_open && chan->recv_open;
    uint64_t item = ++world.next_item;

    if (!self->places[object]) return;
    self->places[object]--;
    chan->reserved--;
    if (below(3)) {
        compare("commit", nido_chan_commit(world.chans[object], &item), open ? 0 : -EPIPE);
        if (open) chan->items[chan->count++] = item;
        if (open) world.sent += item;
    } else {
        compare("unreserve", nido_chan_unreserve(world.chans[object]), 0);
    }
    model_settle(&world.model, chan);
}

static void act_event(struct actor *self)
{
    int object = below(MODEL_EVENTS);
    bool set = below(3) == 0;

    (void)self;
    world.model.events[object].set = set;
    if (set) model_finish_all(&world.model, &world.model.events[object].waiters, 0);
    compare("event",
            set ? nido_event_set(&world.events[object]) : nido_event_reset(&world.events[object]),
            0);
}

static void act_release(struct actor *self)
{
    if (!self->borrowed) return;
    self->borrowed--;
    world.model.permits++;
    model_lend(&world.model);
    compare("release", nido_sem_release(&world.sem), 0);
}

static void act_cancel(struct actor *self)
{
    struct actor *other = &world.actors[below(ACTORS)];

    if (other == self || !other->in_scope || other->cancelled) return;
    other->cancelled = true;
    if (other->op.waiting) model_finish(&world.model, &other->op, NOTHING, -ECANCELED);
    compare("cancel", nido_scope_cancel(&other->scope, 0, NULL), 0);
}

static void drop(void *ctx, void *item, int result)
{
    uint64_t got;

    (void)ctx, (void)result;
    memcpy(&got, item, sizeof got);
    world.dropped += got;
    if (!world.dropping->count)
        complain("dropped what was not there");
    else
        compare("dropped", (int64_t)got, (int64_t)model_pop(world.dropping));
}

static void renew(int object)
{
    struct model_chan *chan = &world.model.chans[object];

    world.births[object]++;
    *chan = (struct model_chan){.capacity = below(4), .send_open = true, .recv_open = true};
    nido_chan_new(sizeof(uint64_t), (size_t)chan->capacity, drop, NULL, &world.chans[object]);
    for (int i = 0; i < ACTORS; i++) world.actors[i].places[object] = 0;
}

static void act_close(struct actor *self)
{
    int object = below(MODEL_CHANS), what = below(6);
    struct model_chan *chan = &world.model.chans[object];

    (void)self;
    if (below(16)) return;
    model_close(&world.model, chan, what != 1, what != 0);
    world.dropping = chan;
    compare("close",
            what == 0   ? nido_chan_close_send(world.chans[object])
            : what == 1 ? nido_chan_close_recv(world.chans[object])
                        : nido_chan_free(world.chans[object]),
            0);
    if (what) compare("not dropped", chan->count, 0);
    if (what > 1) renew(object);
}

/* ---- Actors ---- */

static void look(void)
{
    for (int i = 0; i < MODEL_CHANS; i++) {
        const struct model_chan *chan = &world.model.chans[i];

        compare("count", (int64_t)nido_chan_count(world.chans[i]), chan->count);
        compare("reserved", (int64_t)world.chans[i]->reserved, chan->reserved);
    }
    compare("permits", nido_sem_count(&world.sem), world.model.permits);
}

static bool go_on(void)
{
    return world.steps > 0 && !world.complaint[0];
}

static void act(struct actor *self)
{
    static void (*const acts[])(struct actor *) = {act_call,  act_call,    act_select, act_select,
                                                   act_try,   act_place,   act_place,  act_event,
                                                   act_close, act_release, act_cancel};

    world.steps--;
    memcpy(self->births, world.births, sizeof self->births);
    acts[below(sizeof acts / sizeof *acts)](self);
    look();
}

static int lives(void *arg)
{
    struct actor *self = arg;

    while (go_on()) {
        self->cancelled = false;
        nido_scope_open(&self->scope);
        self->in_scope = true;
        for (int n = 1 + below(4); n > 0 && go_on(); n--) act(self);
        self->in_scope = false;
        nido_scope_close(&self->scope, 0);
        nido_yield();
    }
    self->over = true;
    return 0;
}

static bool all_over(void)
{
    for (int i = 0; i < ACTORS; i++)
        if (!world.actors[i].over) return false;
    return true;
}

/* Sleeps until all wait, then sees to it that somebody goes on. */
static int supervise(void *unused)
{
    struct actor nobody = {0};
    nido_group group;

    (void)unused;
    nido_sem_init(&world.sem, PERMITS, PERMITS, NULL);
    for (int i = 0; i < MODEL_EVENTS; i++) nido_event_init(&world.events[i], NULL);
    for (int i = 0; i < MODEL_CHANS; i++) renew(i);
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    for (int i = 0; i < ACTORS; i++) begin(&group, lives, &world.actors[i]);
    while (!all_over()) {
        for (int i = 0; i < 4; i++) act_cancel(&nobody);
        nido_sleep(1);
    }
    return nido_group_close(&group, 0);
}

static void sum_up(void)
{
    uint64_t left = 0;
    int borrowed = 0;

    for (int i = 0; i < MODEL_CHANS; i++) {
        const struct model_chan *chan = &world.model.chans[i];

        for (int at = 0; at < chan->count; at++) left += chan->items[at];
    }
    for (int i = 0; i < ACTORS; i++) borrowed += world.actors[i].borrowed;
    compare("sent", (int64_t)world.sent, (int64_t)(world.received + world.dropped + left));
    compare("permits", borrowed + (int)nido_sem_count(&world.sem), PERMITS);
}

/* S157 */
NIDO_TEST(sync_model, a_million_operations_do_what_the_model_says)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        nido_options options = nido_test_virtual();

        memset(&world, 0, sizeof world);
        world.seeded.state = options.seed = seed;
        world.steps = STEPS;
        world.model.permits = PERMITS;
        cr_expect(eq(int, nido_run(supervise, NULL, &options), 0));
        sum_up();
        cr_assert(eq(str, world.complaint, ""), "seed %llu", (unsigned long long)seed);
        for (int i = 0; i < MODEL_CHANS; i++) {
            world.dropping = &world.model.chans[i];
            nido_chan_free(world.chans[i]);
        }
    }
}
