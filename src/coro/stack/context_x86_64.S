/* SPDX-License-Identifier: MIT */
/* nidoi_context_jump: nidoi_fctx_jump, entered so that calls and returns stay in balance.
 *
 * fcontext resumes a context by an indirect jmp, so the call that suspended it is never matched by
 * a ret and the processor's return predictor is wrong for every frame on the way out, about 5 ns
 * each. Here the address that fcontext will resume is a landing whose own ret matches the call of
 * this function. The pad keeps the stack aligned as after a call.
 *
 * Of Intel's CET, whatever flags the rest is compiled with: the note at the end says that indirect
 * branches find their landings here (IBT), and says nothing of shadow stacks, because fcontext does not
 * switch them. A linker keeps only what all its inputs say, so nothing that holds this object is run
 * under a shadow stack, which the landing's ret would break. */
    .text
    .globl nidoi_context_jump
    .hidden nidoi_context_jump
    .type nidoi_context_jump, @function
    .balign 16
nidoi_context_jump:
    .cfi_startproc
    endbr64
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    leaq 1f(%rip), %rax
    pushq %rax
    jmp nidoi_fctx_jump
    nop /* unwinders look one byte before the landing */
1:  endbr64
    addq $8, %rsp
    .cfi_adjust_cfa_offset -8
    ret
    .cfi_endproc
    .size nidoi_context_jump, .-nidoi_context_jump

#include "coro/stack/ibt_note.S"
