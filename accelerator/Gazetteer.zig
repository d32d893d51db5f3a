//! The gazetteer as chalicelib/places/gazetteer.py writes it: names, and the places that have them.

const std = @import("std");
const Input = @import("Input.zig");
const Lines = @import("words.zig").Lines;
const Words = @import("words.zig").Words;
const Gazetteer = @This();

names: Words(Name),
roles: Words(Roles), // of the words that are looked for around a name
found: Column(u32), // places of the names
codes: []const []const u8, // of countries
called: []const u8, // the places' names, a byte for the end of each
start: Column(u32), // of its name in `called`
country: Column(u8), // which of `codes`
size: Column(u8), // a `Size`
region: Column(u16), // the place that is its region; itself for a region, 0 if unknown
people: Column(u8),
latitude: Column(i32), // degrees times 10,000
longitude: Column(i32),

pub const Place = u16;
pub const Size = enum(u8) { country, region, _ };
pub const Kind = enum(u4) { nothing, name, word, person, initials, demonym, small, tag, code, large, _ };

/// A name's number.
pub const Number = packed struct(u32) {
    longest: u4 = 0, // words of the longest name that begins with this one
    kind: Kind = .nothing,
    places: u4 = 0, // how many have it
    start: u20 = 0, // of these in `found`
};

pub const Name = struct { number: Number, anchor: bool };

/// Which of the lists of words have a word, in WORDS' order.
pub const Roles = packed struct(u16) {
    capital: bool = false,
    tag: bool = false,
    leading: bool = false,
    linking: bool = false,
    hazard: bool = false,
    event: bool = false,
    team: bool = false,
    sport: bool = false,
    no_initials: bool = false,
    title: bool = false,
    _: u6 = 0,
};

pub fn init(input: *Input, allocator: std.mem.Allocator) !Gazetteer {
    var gazetteer: Gazetteer = undefined;
    const roles = try input.bytes(u32);
    const flags: Column(u16) = .{ .bytes = try input.bytes(u32) };
    gazetteer.roles = try .init(flags.len(), roles, allocator);
    var each: Lines = .of(roles);
    for (0..flags.len()) |at| {
        const line = try each.next();
        try gazetteer.roles.add(line.start, line.text.len, @bitCast(flags.get(at)));
    }
    const anchors = try input.int(u32);
    const names = try input.bytes(u32);
    const codes = try input.bytes(u32);
    gazetteer.called = try input.bytes(u32);
    const numbers: Column(u32) = .{ .bytes = try input.bytes(u32) };
    inline for (.{ "found", "start", "country", "size", "region", "people", "latitude", "longitude" }) |column| {
        @field(gazetteer, column).bytes = try input.bytes(u32);
    }
    gazetteer.codes = try listOf(codes, allocator);
    gazetteer.names = try .init(numbers.len(), names, allocator);
    each = .of(names);
    for (0..numbers.len()) |at| {
        const line = try each.next();
        const number: Number = @bitCast(numbers.get(at));
        if (@as(usize, number.start) + number.places > gazetteer.found.len()) return error.Malformed;
        try gazetteer.names.add(line.start, line.text.len, .{ .number = number, .anchor = at < anchors });
    }
    try gazetteer.check();
    return gazetteer;
}

fn listOf(lines: []const u8, allocator: std.mem.Allocator) ![]const []const u8 {
    const list = try allocator.alloc([]const u8, std.mem.count(u8, lines, "\n") + 1);
    var each: Lines = .of(lines);
    for (list) |*text| text.* = (try each.next()).text;
    return list;
}

/// Whether every number leads to something.
fn check(gazetteer: *const Gazetteer) error{Malformed}!void {
    const count = gazetteer.size.len();
    inline for (.{ "start", "country", "region", "people", "latitude", "longitude" }) |column| {
        if (@field(gazetteer, column).len() != count) return error.Malformed;
    }
    for (0..gazetteer.found.len()) |at| if (gazetteer.found.get(at) >= count) return error.Malformed;
    for (0..count) |place| {
        if (gazetteer.country.get(place) >= gazetteer.codes.len) return error.Malformed;
        if (gazetteer.start.get(place) >= gazetteer.called.len) return error.Malformed;
    }
    if (count > std.math.maxInt(Place) or !std.mem.endsWith(u8, gazetteer.called, "\n")) return error.Malformed;
}

pub fn name(gazetteer: *const Gazetteer, place: Place) []const u8 {
    return std.mem.sliceTo(gazetteer.called[gazetteer.start.get(place)..], '\n');
}

/// The number of a word or of a hashtag's words; of no place and of no kind, if it is no name.
pub fn numberOf(gazetteer: *const Gazetteer, text: []const u8) Number {
    return if (gazetteer.names.find(text)) |found| found.number else .{};
}

/// The `nth` of the places that have a name, from 0: the likeliest first.
pub fn placeOf(gazetteer: *const Gazetteer, number: Number, nth: usize) Place {
    return @intCast(gazetteer.found.get(number.start + nth));
}

/// Numbers as they lie in the file.
fn Column(comptime T: type) type {
    return struct {
        bytes: []const u8,

        const width = @sizeOf(T);

        pub fn get(column: @This(), at: usize) T {
            return std.mem.readInt(T, column.bytes[at * width ..][0..width], .little);
        }

        pub fn len(column: @This()) usize {
            return column.bytes.len / width;
        }
    };
}
