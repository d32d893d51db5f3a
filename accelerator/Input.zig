//! Reads what Python has written: numbers as `struct` packs them with `<`, and bytes after their length.

const std = @import("std");
const Input = @This();

left: []const u8,

pub fn take(input: *Input, count: usize) error{Malformed}![]const u8 {
    if (count > input.left.len) return error.Malformed;
    defer input.left = input.left[count..];
    return input.left[0..count];
}

pub fn int(input: *Input, comptime T: type) error{Malformed}!T {
    const size = @divExact(@bitSizeOf(T), 8);
    return std.mem.readInt(T, (try input.take(size))[0..size], .little);
}

pub fn float(input: *Input) error{Malformed}!f64 {
    return @bitCast(try input.int(u64));
}

/// Bytes after their length, which takes one byte or more.
pub fn bytes(input: *Input, comptime Length: type) error{Malformed}![]const u8 {
    return input.take(try input.int(Length));
}
