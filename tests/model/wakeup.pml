/* SPDX-License-Identifier: MIT */
/* The remote of src/coro/runtime/remote.c: how a post, or the release of the last handle, wakes a loop that
 * sleeps or is about to.
 *
 * The loop sets `sleeping` and then looks at the posts (and, if it sleeps for handles alone, at
 * their count) once more; a poster pushes and then takes `sleeping` back, and signals if it was set.
 * One of the two sees the other. What holds in every interleaving: the loop never sleeps without a
 * signal while a post waits, or for handles of which none is left; every post that succeeded is
 * called; a post that failed is not; after the run every handle may be released.
 *
 * A post is one number more in the queue, whose own workings are mpsc.pml's. The wake-up is an
 * edge-triggered counter: each signal after a wait began, or since the last one ended, ends one.
 *
 * With -DMUTATION=n the model has a fault, and spin must refute it:
 *   1 the loop looks at the posts first and sets `sleeping` after that
 *   2 the loop does not look at the handles again
 *   3 the poster looks at `sleeping` before it pushes
 *   4 the last release does not signal
 *   5 the loop ends without closing the queue
 *   6 the loop asks for handles after it has looked at the posts, before it says that it is stuck */
#ifndef MUTATION
#define MUTATION 0
#endif

#define POSTERS 2

byte posts = 0, called = 0, succeeded = 0, failed = 0;
byte handles = POSTERS;
bool sleeping = false, shut = false, signalled = false;
bool stuck = false; /* the loop has found that nothing can wake it any more */
byte released = 0;

inline wake_loop()
{
    atomic { was = sleeping; sleeping = false };
    if
    :: was -> signalled = true
    :: else
    fi
}

proctype poster()
{
    bool was;

    if
    :: true -> /* a post; or none, and the handle is only let go */
#if MUTATION == 3
        atomic { was = sleeping; sleeping = false };
#endif
        if
        :: atomic { !shut -> posts++; succeeded++ };
#if MUTATION == 3
            if
            :: was -> signalled = true
            :: else
            fi
#else
            wake_loop()
#endif
        :: atomic { shut -> failed++ }
        fi;
        /* It may keep its handle until the post is called: no other signal will help the loop. */
        if
        :: true -> called == succeeded
        :: true
        fi
    :: true
    fi;
    d_step { handles--; was = (handles == 0) };
    if
    :: was ->
#if MUTATION != 4
        wake_loop()
#endif
    :: else
    fi;
    released++
}

/* Waits in the kernel for a signal; `look` says that it need not wait. A wait that returns at once
 * may find a signal too, or leave it for the next. */
inline poll_wakeup(look)
{
    if
    :: look -> signalled = false
    :: look
    :: !look -> signalled; signalled = false
    fi
}

/* The loop has no task that is ready, no timer, no descriptor: it sleeps for handles alone. */
inline idle()
{
#if MUTATION == 1
    look = (posts > 0);
    sleeping = true;
#else
    sleeping = true;
    look = (posts > 0);
#endif
#if MUTATION != 2
    if
    :: look
    :: else -> look = (handles == 0)
    fi;
#endif
    poll_wakeup(look);
    sleeping = false
}

/* Nobody is left who could post, and nothing was posted: two looks that are not one. */
inline judge()
{
#if MUTATION == 6
    stuck = (posts == 0);
    stuck = (stuck && handles == 0);
#else
    stuck = (handles == 0);
    stuck = (stuck && posts == 0);
#endif
}

inline call_posts()
{
    d_step { called = called + posts; posts = 0 }
}

proctype loop()
{
    bool look;
    byte before_the_end;

    do
    :: called < POSTERS ->
        judge();
        if
        :: stuck -> break
        :: else -> idle()
        fi;
        call_posts()
    :: called > 0 -> break /* the tasks have ended, whatever may come yet */
    od;
end_of_run:
    before_the_end = called;
#if MUTATION != 5
    d_step { shut = true; called = called + posts; posts = 0 };
#else
    call_posts();
#endif
    released == POSTERS; /* nobody posts any more: who still could was told so */
    assert(!stuck || called == before_the_end); /* there was hope: a post that waited */
    assert(called == succeeded)
}

init
{
    atomic { run poster(); run poster(); run loop() }
}
