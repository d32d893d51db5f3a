//! The process that `chalicelib/transform/accelerator.py` starts, and asks batch by batch for the rows of plain records.
//!
//! Descriptor 0 is the memory that both share, descriptor 1 a socket: a byte in is a question, a byte out the answer's
//! end. Every index is checked (`-O ReleaseSafe`); a failed check ends this process, and Python does what was asked.

const std = @import("std");
const builtin = @import("builtin");
const Classifier = @import("Classifier.zig");
const Input = @import("Input.zig");
const Places = @import("Places.zig");
const Recipe = @import("Recipe.zig");
const record = @import("record.zig");

const most_records = 1 << 16;
const most_tweets = 1 << 16;

/// What both share. Python writes the question and reads the answer, never while this process works on it.
const Memory = extern struct {
    // the question
    records: u32,
    bytes: u32, // of data
    shift: f64, // what the share of relevant posts adds to relevance
    arrivals: [most_records]i64, // ms since the epoch
    ends: [most_records]u32, // of each record in `data`
    data: [8 << 20]u8,
    // the answer
    tweets: [most_records]u32, // how many a record has; 0: it is Python's
    rows: [most_tweets]record.Row,
    written: [24 << 20]u8,
};

/// The few calls of the system that it makes. Linux' own need no library, so it runs with any.
const system = if (builtin.os.tag == .linux) std.os.linux else struct {
    extern "c" fn read(descriptor: c_int, into: [*]u8, most: usize) usize;
    extern "c" fn write(descriptor: c_int, from: [*]const u8, most: usize) usize;
    extern "c" fn _exit(status: c_int) noreturn;
};

pub const panic = std.debug.FullPanic(fail);

fn fail(message: []const u8, _: ?usize) noreturn {
    _ = system.write(2, message.ptr, message.len);
    _ = system.write(2, "\n", 1);
    exit(70);
}

fn exit(status: u8) noreturn {
    if (builtin.os.tag == .linux) system.exit(status) else system._exit(status);
}

var heap: [48 << 20]u8 align(2 << 20) = undefined; // taken from the system as far as it is used; nothing is given back
var classifier: Classifier = undefined;
var recipe: Recipe = undefined;
var places: Places = undefined;
var scratch: *record.Scratch = undefined;

pub fn main() noreturn {
    const flags: std.posix.MAP = .{ .TYPE = .SHARED };
    const mapped = std.posix.mmap(null, @sizeOf(Memory), .{ .READ = true, .WRITE = true }, flags, 0, 0) catch exit(71);
    const memory: *Memory = @ptrCast(mapped.ptr);
    // Tables are read here and there: with pages of 2 MB, where the system has them, their addresses are at hand.
    if (builtin.os.tag == .linux) _ = system.madvise(&heap, heap.len, system.MADV.HUGEPAGE);
    confine();
    if (!asked()) exit(0);
    learn(memory) catch exit(72);
    while (answered() and asked()) answer(memory);
    exit(0);
}

/// From now on the kernel lets it read, write and exit, and nothing else: SECCOMP_MODE_STRICT. Where there is no such
/// thing it goes without.
fn confine() void {
    if (builtin.os.tag == .linux) _ = system.prctl(@intFromEnum(system.PR.SET_SECCOMP), 1, 0, 0, 0);
}

fn asked() bool {
    var byte: [1]u8 = undefined;
    return system.read(1, &byte, 1) == 1;
}

fn answered() bool {
    return system.write(1, "\x01", 1) == 1;
}

/// The first question holds no records but the model and the recipe of a row. They are copied: the memory is used again.
fn learn(memory: *Memory) !void {
    var fixed: std.heap.FixedBufferAllocator = .init(&heap);
    const allocator = fixed.allocator();
    var input: Input = .{ .left = try allocator.dupe(u8, memory.data[0..memory.bytes]) };
    recipe = try .init(&input, allocator);
    try classifier.init(&input, allocator);
    places = try .init(&input, allocator);
    scratch = try allocator.create(record.Scratch);
    if (input.left.len != 0) return error.Malformed;
}

fn answer(memory: *Memory) void {
    var out: record.Out = .{ .rows = &memory.rows, .written = .{ .buffer = &memory.written } };
    var start: u32 = 0;
    for (memory.ends[0..memory.records], memory.arrivals[0..memory.records], memory.tweets[0..memory.records]) |end, arrived, *tweets| {
        const before = out;
        record.rows(scratch, &classifier, &recipe, &places, memory.shift, memory.data[start..end], arrived, &out) catch {
            out.tweets = before.tweets; // Python does the whole record
            out.written.used = before.written.used;
        };
        tweets.* = out.tweets - before.tweets;
        start = end;
    }
}
