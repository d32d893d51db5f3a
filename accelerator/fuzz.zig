//! What AFL++ runs: a record after the other, as it makes them up. `python -m accelerator.fuzz` builds and starts it.
//!
//! A check that fails ends the process with a signal, which AFL++ counts as a crash. argv[1] is what Python teaches.

const std = @import("std");
const Classifier = @import("Classifier.zig");
const Input = @import("Input.zig");
const Places = @import("Places.zig");
const Recipe = @import("Recipe.zig");
const record = @import("record.zig");

// Of afl-compiler-rt.o: docs/afl-fuzz_approach.md and instrumentation/README.persistent_mode.md in AFLplusplus.
extern fn __afl_manual_init() void;
extern fn __afl_persistent_loop(most: c_uint) c_int;
extern var __afl_fuzz_ptr: [*]const u8;
extern var __afl_fuzz_len: *const u32;
export var __afl_sharedmem_fuzzing: c_int = 1;
export const persistent: [*:0]const u8 = "##SIG_AFL_PERSISTENT##";
export const deferred: [*:0]const u8 = "##SIG_AFL_DEFER_FORKSRV##";

extern "c" fn open(path: [*:0]const u8, flags: c_int) c_int;
extern "c" fn read(descriptor: c_int, into: [*]u8, most: usize) isize;
extern "c" fn abort() noreturn;

pub const panic = std.debug.FullPanic(fail);

fn fail(_: []const u8, _: ?usize) noreturn {
    abort();
}

var heap: [48 << 20]u8 = undefined;
var taught: [8 << 20]u8 = undefined;
var classifier: Classifier = undefined;
var recipe: Recipe = undefined;
var places: Places = undefined;
var scratch: record.Scratch = undefined;
var rows: [1 << 12]record.Row = undefined;
var written: [8 << 20]u8 = undefined;

pub export fn main(_: c_int, arguments: [*]const [*:0]const u8) c_int {
    const file = open(arguments[1], 0);
    var size: usize = 0;
    while (true) {
        const more = read(file, taught[size..].ptr, taught.len - size);
        if (more <= 0) break;
        size += @intCast(more);
    }
    learn(taught[0..size]) catch return 1;
    __afl_manual_init();
    while (__afl_persistent_loop(10_000) != 0) {
        var out: record.Out = .{ .rows = &rows, .written = .{ .buffer = &written } };
        record.rows(&scratch, &classifier, &recipe, &places, -2.2, __afl_fuzz_ptr[0..__afl_fuzz_len.*], 1_770_091_506_789, &out) catch {};
    }
    return 0;
}

fn learn(said: []const u8) !void {
    var fixed: std.heap.FixedBufferAllocator = .init(&heap);
    var input: Input = .{ .left = said };
    recipe = try .init(&input, fixed.allocator());
    try classifier.init(&input, fixed.allocator());
    places = try .init(&input, fixed.allocator());
}
