/* SPDX-License-Identifier: MIT */
/* The queue of src/base/mpsc.c: many push, one takes, and closes at the end.
 *
 * What holds in every interleaving: a push that succeeded is taken exactly once, those of one pusher
 * in the order of their pushes; a push after the close fails, and one that failed is not in the
 * queue.
 *
 * One step here is one atomic access there; `next` of a link is written before the link is published
 * and read after it was taken, so it needs no step of its own. The compare may fail without cause,
 * as a weak one may.
 *
 * With -DMUTATION=n the model has a fault, and spin must refute it:
 *   1 close takes what is there and forgets to leave the end mark
 *   2 take loads the top and then clears it, in two steps
 *   3 push does not look again: it stores its link over whatever the top is by then
 *   4 what was taken is not turned round */
#ifndef MUTATION
#define MUTATION 0
#endif

#define PUSHERS 2
#define PUSHES  2
#define LINKS   4  /* one for each push; number l is push l % PUSHES of pusher l / PUSHES */
#define NOBODY  15 /* NULL */
#define CLOSED  14

byte top = NOBODY;
byte next[LINKS];
bool succeeded[LINKS], failed[LINKS];
byte taken[LINKS];
byte taken_of[PUSHERS]; /* how many of each */
bool closed = false;
byte finished = 0;

inline publish(l)
{
    next[l] = seen;
#if MUTATION == 3
    top = l;
    succeeded[l] = true;
    break
#else
    if
    :: atomic { top == seen -> top = l; succeeded[l] = true }
       break
    :: seen = top /* it has changed, or the weak compare failed without cause */
    fi
#endif
}

proctype pusher(byte who)
{
    byte i = 0, l, seen;
    bool after;

    do
    :: i < PUSHES ->
        l = who * PUSHES + i;
        after = closed;
        seen = top;
        do
        :: seen == CLOSED -> failed[l] = true; break
        :: else -> publish(l)
        od;
        assert(!after || failed[l]); /* begun after the close was over */
        i++
    :: else -> break
    od;
    finished++
}

/* Walks through what the exchange gave, oldest first. */
inline receive(first)
{
    turned = NOBODY;
    do
    :: first == NOBODY -> break
    :: else ->
        d_step {
            after_it = next[first];
            next[first] = turned;
            turned = first;
            first = after_it
        }
    od;
#if MUTATION == 4
    first = turned; turned = NOBODY;
    do
    :: first == NOBODY -> break
    :: else -> d_step { after_it = next[first]; next[first] = turned; turned = first; first = after_it }
    od;
#endif
    do
    :: turned == NOBODY -> break
    :: else ->
        d_step {
            taken[turned]++;
            assert(taken[turned] == 1);
            assert(turned % PUSHES >= taken_of[turned / PUSHES]);
            taken_of[turned / PUSHES] = turned % PUSHES + 1;
            turned = next[turned]
        }
    od
}

proctype taker()
{
    byte batch, turned, after_it, rounds = 0;

    do
    :: rounds < 2 ->
#if MUTATION == 2
        batch = top;
        top = NOBODY;
#else
        atomic { batch = top; top = NOBODY };
#endif
        receive(batch);
        rounds++
    :: true -> break
    od;
#if MUTATION == 1
    atomic { batch = top; top = NOBODY };
#else
    atomic { batch = top; top = CLOSED };
#endif
    closed = true;
    if
    :: batch == CLOSED -> batch = NOBODY
    :: else
    fi;
    receive(batch);
    finished++
}

init
{
    byte l = 0;

    atomic { run pusher(0); run pusher(1); run taker() };
    finished == PUSHERS + 1;
    do
    :: l < LINKS ->
        assert(succeeded[l] != failed[l]);
        assert(taken[l] == succeeded[l]); /* none is lost, none comes from nowhere */
        l++
    :: else -> break
    od
}
