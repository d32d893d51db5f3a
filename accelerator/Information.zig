//! `Information` of chalicelib/classifier/information.py: what a relevant post tells.

const std = @import("std");
const Input = @import("Input.zig");
const Output = @import("Output.zig");
const Lines = @import("words.zig").Lines;
const Words = @import("words.zig").Words;
const Error = Output.Error;
const Information = @This();

const most_types = 8;
const most_bytes = 128; // of a word that has weights

rows: Words(u32), // of words and of beginnings, `word*`
weights: []const u8, // a signed byte for each type, row after row
types: []const Type,
scale: f64,
slope: f64,
longest: usize, // characters of a word that has weights

const Type = struct { name: []const u8, bias: f64 };

pub const Told = struct { type: []const u8, probability: f64 };

/// Which of the tokens were met, by their number from 1; 0 for none.
pub const Met = [1 << 14]u16;

pub fn init(input: *Input, allocator: std.mem.Allocator) !Information {
    const types = try allocator.alloc(Type, try input.int(u8));
    if (types.len == 0 or types.len > most_types) return error.Malformed;
    for (types) |*each| each.* = .{ .name = try input.bytes(u8), .bias = try input.float() };
    const scale, const slope = .{ try input.float(), try input.float() };
    const longest = try input.int(u8);
    if (4 * @as(usize, longest) >= most_bytes) return error.Malformed;
    const count = try input.int(u32);
    const names = try input.bytes(u32);
    var rows: Words(u32) = try .init(count, names, allocator);
    var each: Lines = .of(names);
    for (0..count) |row| {
        const line = try each.next();
        try rows.add(line.start, line.text.len, @intCast(row));
    }
    const weights = try input.take(count * types.len);
    return .{ .rows = rows, .weights = weights, .types = types, .scale = scale, .slope = slope, .longest = longest };
}

/// `tell`. `hashes`: the tokens'. `tokens`: at most a quarter as many as `met` has room for.
pub fn tell(information: *const Information, tokens: []const []const u8, hashes: []const u32, met: *Met) Told {
    const slots = met[0..std.math.ceilPowerOfTwoAssert(usize, 2 * tokens.len + 1)];
    @memset(slots, 0);
    var sums: [most_types]i64 = @splat(0);
    var distinct: usize = 0;
    for (tokens, hashes, 1..) |token, hash, number| {
        var at = hash & slots.len - 1;
        while (slots[at] > 0 and !std.mem.eql(u8, tokens[slots[at] - 1], token)) at = at + 1 & slots.len - 1;
        if (slots[at] > 0) continue;
        slots[at] = @intCast(number);
        distinct += 1;
        const row = information.rowOf(token) orelse continue;
        const count = information.types.len;
        for (sums[0..count], information.weights[row * count ..][0..count]) |*sum, weight| sum.* += @as(i8, @bitCast(weight));
    }
    return information.likeliest(&sums, distinct);
}

fn likeliest(information: *const Information, sums: *const [most_types]i64, distinct: usize) Told {
    const factor = information.scale / @sqrt(@as(f64, @floatFromInt(@max(1, distinct))));
    var logits: [most_types]f64 = undefined;
    const found = logits[0..information.types.len];
    for (found, information.types, sums[0..found.len]) |*logit, each, sum| logit.* = each.bias + factor * @as(f64, @floatFromInt(sum));
    const most = std.mem.findMax(f64, found); // the first of them
    var total: f64 = 0;
    for (found) |logit| total += @exp(information.slope * (logit - found[most]));
    return .{ .type = information.types[most].name, .probability = 1 / total };
}

/// The row of a word, digits as zeros, or of the longest beginning that has one.
fn rowOf(information: *const Information, token: []const u8) ?u32 {
    if (token.len > 4 * information.longest or (std.unicode.utf8CountCodepoints(token) catch return null) > information.longest) return null;
    var word: [most_bytes]u8 = undefined;
    for (token, word[0..token.len]) |byte, *kept| kept.* = if (std.ascii.isDigit(byte)) '0' else byte;
    if (information.rows.find(word[0..token.len])) |row| return row.*;
    var length = token.len;
    while (length > 0) : (length -= 1) {
        if (length < token.len and token[length] & 0xc0 == 0x80) continue; // within a character
        word[length] = '*';
        if (information.rows.find(word[0 .. length + 1])) |row| return row.*;
    }
    return null;
}
