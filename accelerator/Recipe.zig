//! What a record's fields are called and how a row is written, as Python says: nothing of it is known here.

const std = @import("std");
const Input = @import("Input.zig");
const text_key = @import("text_key.zig");
const Recipe = @This();

pub const most_slots = 16;

names: []const Name,
slots: []const Slot,
pieces: []const Piece,
keyword: [5][]const u8, // JSON around prefix, word, suffix and theme
around_key: [2][]const u8, // JSON around a text's key
before_told: [2][]const u8, // JSON before what a relevant text tells, and before how probable that is
key_sizes: text_key.Sizes,
first_time: u64, // ms since 1970 of the first ID that holds a time
relevance: [2][]const u8, // the words for not relevant and for relevant
replayed: []const u8, // what a replayed record ends with: `REPLAYED`
id_epoch: u64, // ms since 1970 of ID 0

/// A key of a record's JSON object.
pub const Name = struct {
    text: []const u8,
    slot: u8, // index into `slots`
    rank: u8, // of names for the same slot, the lowest that has a value counts
};

/// What a key's value is, once it is found.
pub const Slot = struct {
    kind: Kind,
    most: u32, // bytes; with more it is Python's
    choices: []const []const u8, // where there are any, another value is Python's

    pub const Kind = enum(u8) { unusual, text, id, time, string, location };
};

/// A part of a row: bytes as they are, then a value.
pub const Piece = struct {
    literal: []const u8,
    what: What,
    slot: u8, // for `field`: index into `slots`

    pub const What = enum(u8) { nothing, text, cleaned, arrived, key, keywords, arrived_at, field, time, text_key, place, verdict, label, score, relevance, relevant, information };
};

pub fn init(input: *Input, allocator: std.mem.Allocator) !Recipe {
    const slots = try allocator.alloc(Slot, try input.int(u8));
    if (slots.len > most_slots) return error.Malformed;
    for (slots) |*slot| {
        slot.kind = try kindOf(Slot.Kind, input);
        slot.most = try input.int(u32);
        const choices = try allocator.alloc([]const u8, try input.int(u8));
        for (choices) |*choice| choice.* = try input.bytes(u8);
        slot.choices = choices;
    }
    const names = try allocator.alloc(Name, try input.int(u8));
    for (names) |*name| {
        name.* = .{ .text = try input.bytes(u8), .slot = try input.int(u8), .rank = try input.int(u8) };
        if (name.slot >= slots.len or name.text.len == 0) return error.Malformed;
    }
    const pieces = try allocator.alloc(Piece, try input.int(u8));
    for (pieces) |*piece| {
        piece.* = .{ .literal = try input.bytes(u16), .what = try kindOf(Piece.What, input), .slot = try input.int(u8) };
        if (piece.slot >= slots.len) return error.Malformed;
    }
    var keyword: [5][]const u8 = undefined;
    for (&keyword) |*literal| literal.* = try input.bytes(u8);
    const around_key: [2][]const u8 = .{ try input.bytes(u8), try input.bytes(u8) };
    const before_told: [2][]const u8 = .{ try input.bytes(u8), try input.bytes(u8) };
    return .{
        .names = names,
        .slots = slots,
        .pieces = pieces,
        .keyword = keyword,
        .around_key = around_key,
        .before_told = before_told,
        .key_sizes = try .init(input),
        .id_epoch = try input.int(u64),
        .first_time = try input.int(u64),
        .replayed = try input.bytes(u8),
        .relevance = .{ try input.bytes(u8), try input.bytes(u8) },
    };
}

fn kindOf(comptime Kind: type, input: *Input) error{Malformed}!Kind {
    return std.enums.fromInt(Kind, try input.int(u8)) orelse error.Malformed;
}

/// Where the key is in `names`, if it means something.
pub fn find(recipe: *const Recipe, key: []const u8) ?usize {
    for (recipe.names, 0..) |name, at| {
        if (name.text.len == key.len and name.text[0] == key[0] and std.mem.eql(u8, name.text, key)) return at;
    }
    return null;
}
