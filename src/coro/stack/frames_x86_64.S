/* SPDX-License-Identifier: MIT */
/* void nidoi_frames_as_if(void *end, void (*fn)(void *arg), void *arg): calls fn(arg). To an unwinder that looks
 * from there, its caller is the context that fcontext has suspended with its saved registers below `end`; their
 * order from there is the same in every version of Boost. */
    .text
    .globl nidoi_frames_as_if
    .hidden nidoi_frames_as_if
    .type nidoi_frames_as_if, @function
    .globl nidoi_frames_as_if_return
    .hidden nidoi_frames_as_if_return
    .balign 16
nidoi_frames_as_if:
    .cfi_startproc
    endbr64
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_offset rbx, -16
    movq %rdi, %rbx
    movq %rdx, %rdi
    .cfi_remember_state
    .cfi_def_cfa rbx, 0
    .cfi_offset rip, -8
    .cfi_offset rbp, -16
    .cfi_offset rbx, -24
    .cfi_offset r15, -32
    .cfi_offset r14, -40
    .cfi_offset r13, -48
    .cfi_offset r12, -56
    call *%rsi
nidoi_frames_as_if_return:
    .cfi_restore_state
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore rbx
    ret
    .cfi_endproc
    .size nidoi_frames_as_if, .-nidoi_frames_as_if

#include "coro/stack/ibt_note.S"
