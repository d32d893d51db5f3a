// Zig has it tracked, AFL++ 4.04 keeps no such thing.
_Thread_local unsigned long __sancov_lowest_stack;
