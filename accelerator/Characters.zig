//! The characters that are plain, as Python knows them: the ASCII ones and the commonest others, each by its index. A
//! text with any other is Python's.

const std = @import("std");
const Input = @import("Input.zig");
const Output = @import("Output.zig");
const Error = Output.Error;
const Characters = @This();

list: []const Character,
index: [most_code + 1]Index,
again: []const u8, // cp1252's byte of a byte read as Mac Roman; 0: it has none

/// What stands for a character beyond ASCII, where only ASCII matters.
pub const beyond = .{ .space = 0x80, .other = 0xff };

/// Of a character in `list`: the ASCII ones' are their codes. 0 is NUL, and no character of any text.
pub const Index = u16;
const most_code = 0x1faff;

pub const Character = struct {
    written: []const u8, // UTF-8
    word: bool, // `\w`
    space: bool, // `\s`
    letters: bool, // `folded` is letters and digits; else it divides words
    alphabetic: bool, // `folded` is letters
    folded: []const u8, // without accents, in lower case, UTF-8
    plain: []const u8, // without accents; what is beyond ASCII is one of `beyond`
    plainer: ?[]const Index, // what stands for it in a text that isn't all ASCII, where that is another
    byte: u8, // cp1252's; 0: it has none
};

pub fn init(characters: *Characters, input: *Input, allocator: std.mem.Allocator) !void {
    const list = try allocator.alloc(Character, try input.int(u16));
    characters.index = @splat(0);
    for (list, 0..) |*character, at| {
        const code = try input.int(u32);
        const flags = try input.int(u8);
        if (code > most_code or (at < 128 and code != at)) return error.Malformed;
        characters.index[code] = @intCast(at);
        character.* = .{
            .word = flags & 1 != 0,
            .space = flags & 2 != 0,
            .letters = flags & 4 != 0,
            .alphabetic = flags & 16 != 0,
            .byte = try input.int(u8),
            .written = try input.bytes(u8),
            .folded = try input.bytes(u8),
            .plain = try input.bytes(u8),
            .plainer = null,
        };
        if (flags & 8 != 0) character.plainer = switch (try input.int(u8)) {
            0 => &.{},
            ' ' => &.{' '},
            '\'' => &.{'\''},
            else => return error.Malformed,
        };
    }
    if (list.len < 128) return error.Malformed;
    characters.list = list;
    characters.again = try input.take(256);
}

pub fn of(characters: *const Characters, code: u21) Error!Index {
    const found = if (code <= most_code) characters.index[code] else 0;
    return if (found > 0) found else error.Unusual;
}

pub fn get(characters: *const Characters, index: Index) *const Character {
    return &characters.list[index];
}

/// Reads valid UTF-8.
pub fn decode(characters: *const Characters, text: []const u8, to: *Text) Error!void {
    var at: usize = 0;
    while (at < text.len) {
        if (text[at] < 0x80) {
            if (text[at] == 0) return error.Unusual;
            try to.add(text[at]);
            at += 1;
            continue;
        }
        const length = std.unicode.utf8ByteSequenceLength(text[at]) catch return error.Unusual;
        if (length > text.len - at) return error.Unusual;
        try to.add(try characters.of(std.unicode.utf8Decode(text[at..][0..length]) catch return error.Unusual));
        at += length;
    }
}

pub fn encode(characters: *const Characters, text: []const Index, to: *Output) Error!void {
    for (text) |index| {
        if (index < 128) try to.byte(@intCast(index)) else try to.bytes(characters.get(index).written);
    }
}

/// Characters written one after the other.
pub const Text = struct {
    buffer: []Index,
    used: usize = 0,

    pub fn get(text: Text) []Index {
        return text.buffer[0..text.used];
    }

    pub fn add(text: *Text, character: Index) Error!void {
        if (text.used == text.buffer.len) return error.Unusual;
        text.buffer[text.used] = character;
        text.used += 1;
    }

    pub fn addAll(text: *Text, characters: []const Index) Error!void {
        for (characters) |character| try text.add(character);
    }
};
