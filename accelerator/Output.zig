//! Bytes written one after the other into a buffer. What has no room is unusual, and so Python's.

const std = @import("std");
const Output = @This();

buffer: []u8,
used: usize = 0,

pub const Error = error{Unusual};

pub fn written(out: Output) []u8 {
    return out.buffer[0..out.used];
}

pub fn byte(out: *Output, value: u8) Error!void {
    if (out.used == out.buffer.len) return error.Unusual;
    out.buffer[out.used] = value;
    out.used += 1;
}

pub fn bytes(out: *Output, values: []const u8) Error!void {
    if (values.len > out.buffer.len - out.used) return error.Unusual;
    @memcpy(out.buffer[out.used..][0..values.len], values);
    out.used += values.len;
}

/// A number in decimal.
pub fn number(out: *Output, value: u64) Error!void {
    var digits: [20]u8 = undefined;
    var at: usize = digits.len;
    var left = value;
    while (true) {
        at -= 1;
        digits[at] = '0' + @as(u8, @intCast(left % 10));
        left /= 10;
        if (left == 0) return out.bytes(digits[at..]);
    }
}

/// A number in decimal with leading zeros.
pub fn padded(out: *Output, value: u64, width: u64) Error!void {
    var power: u64 = 1;
    for (1..width) |_| power *= 10;
    while (power > 0) : (power /= 10) try out.byte('0' + @as(u8, @intCast(value / power % 10)));
}

const digits_of_hex = "0123456789abcdef";

/// Bytes in hexadecimal.
pub fn hex(out: *Output, values: []const u8) Error!void {
    for (values) |value| try out.bytes(&.{ digits_of_hex[value >> 4], digits_of_hex[value & 15] });
}

const escapes = blk: {
    var found: [256]u8 = @splat(0);
    for (0..32) |control| found[control] = 'u';
    for ("\x08\t\n\x0c\r\"\\", "btnfr\"\\") |character, letter| found[character] = letter;
    break :blk found;
};

/// A JSON string, with its quotes, as orjson writes it.
pub fn quoted(out: *Output, text: []const u8) Error!void {
    try out.byte('"');
    try out.escaped(text);
    try out.byte('"');
}

pub fn escaped(out: *Output, text: []const u8) Error!void {
    var start: usize = 0;
    for (text, 0..) |character, at| {
        const letter = escapes[character];
        if (letter == 0) continue;
        try out.bytes(text[start..at]);
        start = at + 1;
        try out.byte('\\');
        try out.byte(letter);
        if (letter == 'u') {
            try out.bytes("00");
            try out.byte('0' + character / 16);
            try out.byte(digits_of_hex[character % 16]);
        }
    }
    try out.bytes(text[start..]);
}
