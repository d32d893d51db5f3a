//! Reads one flat JSON object: strings, numbers, booleans and nulls, as orjson does. What is nested, broken, or a number
//! that may lose digits is unusual.

const std = @import("std");
const Output = @import("Output.zig");
const Json = @This();
const Error = Output.Error;

source: []const u8, // valid UTF-8
strings: *Output, // where strings with escapes are written without them
at: usize = 0,
first: bool = true,

pub const Value = union(enum) {
    string: []const u8,
    number: []const u8, // its digits, without a fraction
    nothing, // null
    other, // true, false, or a number with a fraction
};

pub fn open(json: *Json) Error!void {
    json.space();
    try json.expect('{');
}

/// The next key, which `value` must follow; null at the object's end, which must be the source's.
pub fn key(json: *Json) Error!?[]const u8 {
    json.space();
    if (json.peek() == '}') {
        json.at += 1;
        json.space();
        return if (json.at == json.source.len) null else error.Unusual;
    }
    if (!json.first) {
        try json.expect(',');
        json.space();
    }
    json.first = false;
    const name = try json.string();
    json.space();
    try json.expect(':');
    json.space();
    return name;
}

pub fn value(json: *Json) Error!Value {
    switch (json.peek()) {
        '"' => return .{ .string = try json.string() },
        '-', '0'...'9' => return json.number(),
        else => {},
    }
    for ([_][]const u8{ "null", "true", "false" }) |word| {
        if (std.mem.startsWith(u8, json.source[json.at..], word)) {
            json.at += word.len;
            return if (word[0] == 'n') .nothing else .other;
        }
    }
    return error.Unusual;
}

fn peek(json: *const Json) u8 {
    return if (json.at < json.source.len) json.source[json.at] else 0;
}

fn expect(json: *Json, character: u8) Error!void {
    if (json.peek() != character) return error.Unusual;
    json.at += 1;
}

fn space(json: *Json) void {
    while (true) switch (json.peek()) {
        ' ', '\t', '\n', '\r' => json.at += 1,
        else => return,
    };
}

const most_digits = 18; // with more, an integer may not fit 64 bits

fn number(json: *Json) Error!Value {
    const start = json.at;
    if (json.peek() == '-') json.at += 1;
    const whole = try json.digits();
    if (whole.len > 1 and whole[0] == '0') return error.Unusual;
    const end = json.at;
    switch (json.peek()) {
        '.' => {
            json.at += 1;
            _ = try json.digits();
            if (json.peek() | 0x20 == 'e') return error.Unusual;
            return .other;
        },
        'e', 'E' => return error.Unusual,
        else => return .{ .number = json.source[start..end] },
    }
}

fn digits(json: *Json) Error![]const u8 {
    const start = json.at;
    while (std.ascii.isDigit(json.peek())) json.at += 1;
    const count = json.at - start;
    if (count == 0 or count > most_digits) return error.Unusual;
    return json.source[start..json.at];
}

/// A string without its quotes and escapes.
fn string(json: *Json) Error![]const u8 {
    try json.expect('"');
    const source = json.source;
    const start = json.at;
    const written = json.strings.used;
    var copied = start;
    while (json.at < source.len) {
        const character = source[json.at];
        if (character == '"') {
            defer json.at += 1;
            if (copied == start) return source[start..json.at];
            try json.strings.bytes(source[copied..json.at]);
            return json.strings.buffer[written..json.strings.used];
        }
        if (character < 0x20) return error.Unusual;
        if (character == '\\') {
            try json.strings.bytes(source[copied..json.at]);
            try json.escape();
            copied = json.at;
        } else {
            json.at += 1;
        }
    }
    return error.Unusual;
}

fn escape(json: *Json) Error!void {
    json.at += 1;
    const letter = json.peek();
    json.at += 1;
    try json.strings.byte(switch (letter) {
        '"', '\\', '/' => letter,
        'b' => 8,
        'f' => 12,
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return json.codePoint(),
        else => return error.Unusual,
    });
}

fn codePoint(json: *Json) Error!void {
    var point: u21 = try json.hex();
    if (point >= 0xd800 and point < 0xdc00) {
        try json.expect('\\');
        try json.expect('u');
        const low: u21 = try json.hex();
        if (low < 0xdc00 or low > 0xdfff) return error.Unusual;
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    }
    var encoded: [4]u8 = undefined;
    const length = std.unicode.utf8Encode(point, &encoded) catch return error.Unusual; // a lone surrogate
    try json.strings.bytes(encoded[0..length]);
}

fn hex(json: *Json) Error!u16 {
    if (json.source.len - json.at < 4) return error.Unusual;
    var found: u16 = 0;
    for (json.source[json.at..][0..4]) |digit| {
        found = found << 4 | (std.fmt.charToDigit(digit, 16) catch return error.Unusual);
    }
    json.at += 4;
    return found;
}
