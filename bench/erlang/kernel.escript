#!/usr/bin/env escript
%% -*- erlang -*-
%% The steps of bench/kernel/ours.py for Erlang/OTP: one step, one JSON line.
%% Compiled, not interpreted: an interpreted escript would measure erl_eval.
-mode(compile).
-behaviour(gen_server).
-export([main/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

main([Step, Number]) ->
    logger:set_primary_config(level, none),
    N = list_to_integer(Number),
    io:put_chars(run(Step, N)),
    io:nl();
main(_) ->
    io:put_chars(standard_error, "usage: kernel.escript call|cast|start|idle|restart N\n"),
    halt(2).

%% A plain counter, called N times by one process.
run("call", N) ->
    {ok, Pid} = gen_server:start(?MODULE, counter, []),
    call_loop(Pid, N div 20),
    N0 = gen_server:call(Pid, value),
    Seconds = seconds(fun() -> call_loop(Pid, N) end),
    N = gen_server:call(Pid, value) - N0,
    rate(N, Seconds);
%% N casts, then one call that is answered after all of them.
run("cast", N) ->
    {ok, Pid} = gen_server:start(?MODULE, counter, []),
    cast_loop(Pid, N div 20),
    N0 = gen_server:call(Pid, value),
    Seconds = seconds(fun() -> cast_loop(Pid, N), gen_server:call(Pid, value, infinity) end),
    N = gen_server:call(Pid, value) - N0,
    rate(N, Seconds);
%% N servers started one after the other, all kept.
run("start", N) ->
    keep(N div 20),
    Before = erlang:system_info(process_count),
    Seconds = seconds(fun() -> keep(N) end),
    N = erlang:system_info(process_count) - Before,
    rate(N, Seconds);
%% Bytes of memory for each of N idle servers.
run("idle", N) ->
    keep(100),
    erlang:garbage_collect(),
    Before = erlang:memory(total),
    Pids = keep(N),
    erlang:garbage_collect(),
    Bytes = erlang:memory(total) - Before,
    N = length(Pids),
    io_lib:format("{\"bytes\": ~.1f}", [Bytes / N]);
%% N times: kill the child, wait until its successor is up and answers a call.
run("restart", N) ->
    process_flag(trap_exit, true),
    {ok, Sup} = supervisor:start_link(?MODULE, {tree, self()}),
    First = receive {up, Pid} -> Pid end,
    Warm = kill_loop(First, 200, []),
    Micros = kill_loop(hd(Warm), N, []),
    true = is_process_alive(Sup),
    ["{\"seconds\": [", lists:join(", ", [io_lib:format("~.8f", [T]) || T <- tl(Micros)]), "]}"].

call_loop(_, 0) -> ok;
call_loop(Pid, N) ->
    _ = gen_server:call(Pid, increment),
    call_loop(Pid, N - 1).

cast_loop(_, 0) -> ok;
cast_loop(Pid, N) ->
    gen_server:cast(Pid, increment),
    cast_loop(Pid, N - 1).

keep(N) -> [begin {ok, Pid} = gen_server:start(?MODULE, counter, []), Pid end
            || _ <- lists:seq(1, N)].

kill_loop(Pid, 0, Times) -> [Pid | Times];
kill_loop(Pid, N, Times) ->
    T0 = erlang:monotonic_time(),
    exit(Pid, kill),
    Next = receive {up, P} -> P end,
    0 = gen_server:call(Next, value),
    T1 = erlang:monotonic_time(),
    kill_loop(Next, N - 1, [erlang:convert_time_unit(T1 - T0, native, nanosecond) / 1.0e9 | Times]).

seconds(Fun) ->
    T0 = erlang:monotonic_time(),
    Fun(),
    erlang:convert_time_unit(erlang:monotonic_time() - T0, native, nanosecond) / 1.0e9.

rate(N, Seconds) -> io_lib:format("{\"per_second\": ~.1f}", [N / Seconds]).

%% gen_server and supervisor callbacks

init(counter) -> {ok, 0};
init({child, Observer}) ->
    Observer ! {up, self()},
    {ok, 0};
init({tree, Observer}) ->
    {ok, {#{strategy => one_for_one, intensity => 1000000, period => 1},
          [#{id => child, start => {gen_server, start_link, [?MODULE, {child, Observer}, []]}}]}}.

handle_call(increment, _, Count) -> {reply, Count + 1, Count + 1};
handle_call(value, _, Count) -> {reply, Count, Count}.

handle_cast(increment, Count) -> {noreply, Count + 1}.

handle_info(_, Count) -> {noreply, Count}.
