/* nidoi_context_jump: nidoi_fctx_jump, entered so that calls and returns stay in balance.
 *
 * fcontext resumes a context by an indirect jmp, so the call that suspended it is never matched by
 * a ret and the processor's return predictor is wrong for every frame on the way out, about 5 ns
 * each. Here the address that fcontext will resume is a landing whose own ret matches the call of
 * this function. The pad keeps the stack aligned as after a call. Under shadow stacks (CET) this
 * must not be used: build with NIDO_BALANCED=OFF. */
#if defined(__CET__) && (__CET__ & 2)
#error "shadow stacks are on: build with NIDO_BALANCED=OFF"
#endif

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

    .section .note.GNU-stack, "", @progbits
