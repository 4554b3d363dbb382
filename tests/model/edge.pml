/* SPDX-License-Identifier: MIT */
/* The remembered edge of src/reactor/edge.h: what an attempt, on the loop or on a worker, the loop's
 * dispatch, the kernel and a close do to one direction of one owned descriptor.
 *
 * The kernel reports a change once, and what is ready when the descriptor is registered; what a
 * report says is what is true when it is fetched. A read may take a part of what is asked for and
 * leave the rest: at an urgent mark. The task holds the loop's thread until it parks, yields or
 * waits for a worker; dispatch and close happen then, in one step.
 *
 * What holds in every interleaving: nobody sleeps while the kernel has something that it will not
 * report again; no system call is made on the loop, and no memory cleared, for a number that has
 * another owner by now.
 *
 * With -DMUTATION=n a rule is removed, and spin must find the victim:
 *   1 who registers after the attempt to connect has begun sleeps without asking
 *   2 a refusal clears whatever has been reported meanwhile
 *   3 a short read means empty, also after urgent bytes were reported
 *   4 the refusal of a pool without threads is taken for the descriptor's
 *   5 after a worker's attempt the generation is not compared */
#ifndef MUTATION
#define MUTATION 0
#endif

#define ARRIVALS 2
#define CALLS    3

byte have = 0;                       /* in the kernel */
bool marked = false;                 /* an urgent mark lies behind the first of them */
bool registered = false, edge = false; /* a report waits to be fetched */
bool ready = false, sticky = false;  /* the slot's memory */
byte reports = 0, generation = 0;
bool parked = false, running = true; /* the task; it has the loop's thread */

proctype kernel()
{
    byte sent = 0;

    do
    :: sent < ARRIVALS ->
        sent++;
        if
        :: atomic { have++; edge = (edge || registered) }
        :: atomic { have = have + 2; marked = true; edge = (edge || registered) }
        fi
    :: true -> break
    od
}

proctype dispatch()
{
end:do
    :: atomic {
        !running && edge ->
        edge = false;
        if
        :: have > 0 -> reports++; ready = true; sticky = (sticky || marked); parked = false
        :: else
        fi
    }
    od
}

/* Another task closes the descriptor; its number goes to a new one, in which something waits. */
proctype closer()
{
    if
    :: atomic {
        !running && registered ->
        generation++;
        have = 1; marked = false; edge = false;
        ready = true; sticky = false;
        parked = false
    }
    :: true
    fi
}

inline yield() { running = false; running = true }

/* It may be that nothing comes any more. */
inline park()
{
    parked = true;
    running = false;
    if
    :: !parked -> running = true
    :: timeout -> goto over
    fi
}

inline system_call()
{
    d_step {
        refused = (have == 0);
        less = false;
        if
        :: marked && have > 1 -> have--; marked = false; less = true
        :: else -> less = (have > 0 && much); have = (much || have == 0 -> 0 : have - 1)
        fi
    }
}

inline spend()
{
    d_step {
        assert(generation == mine);
        if
#if MUTATION == 2
        :: true -> ready = false
#else
        :: reports == seen -> ready = false
        :: else
#endif
        fi
    }
}

proctype task()
{
    byte seen = 0, mine = 0, calls = 0;
    bool refused, less, much;

    d_step { registered = true; edge = (have > 0); ready = true };
    yield();
#if MUTATION == 1
    ready = false;
    park();
#endif
    do
    :: calls == CALLS || generation != mine -> break
    :: calls < CALLS && generation == mine && !ready -> park()
    :: calls < CALLS && generation == mine && ready ->
        seen = reports;
        if
        :: much = false
        :: much = true /* more than there can be */
        fi;
        if
        :: assert(generation == mine); system_call()
        :: running = false; system_call(); running = true /* a worker; the number is lent */
        :: refused = true; less = false; /* there is no worker */
#if MUTATION != 4
           calls++;
           goto again
#endif
        fi;
#if MUTATION != 5
        if
        :: generation != mine -> break
        :: else
        fi;
#endif
        if
        :: refused -> spend()
        :: else ->
            calls++;
            if
#if MUTATION == 3
            :: less -> spend()
#else
            :: less && !sticky -> spend()
#endif
            :: else
            fi
        fi;
again:  skip
    od;
    running = false;
over:
    skip
}

/* May look at any moment. */
proctype watchdog()
{
    assert(!(parked && have > 0 && !edge))
}

init
{
    atomic { run kernel(); run dispatch(); run closer(); run task(); run watchdog() }
}
