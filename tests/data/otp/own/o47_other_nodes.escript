#!/usr/bin/env escript
%%! -kernel logger_level notice
-module(o47_other_nodes).
-mode(compile).
-compile([export_all, nowarn_export_all, nowarn_unused_function, nowarn_shadow_vars]).

%% O47  stop and sys for processes of another node: the reasons, with the node up, with a
%% connection that breaks before and after the server was told, with the node gone. What
%% looks into the process table is badarg.
%% (Needs the distribution: starts epmd and a peer node.)
run() ->
    process_flag(trap_exit, true),
    os:cmd("epmd -daemon"), {ok, _} = net_kernel:start([list_to_atom("o47_" ++ os:getpid()), shortnames]),
    {ok, Peer, Node} = peer:start(#{name => peer:random_name(), connection => standard_io}),
    put(node, Node),
    peer:call(Peer, logger, remove_handler, [default]),
    {module, _} = peer:call(Peer, code, load_binary, load()),
    pong = net_adm:ping(Node),
    S = fun(Id, Opts, State) -> {ok, P} = peer:call(Peer, gen_server, start, Opts ++ [?MODULE, State, []]), name(P, Id), P end,
    Named = fun(Id, State) -> S(Id, [{local, srv}], State) end,
    There = {srv, Node},

    P1 = S(s1, [], ok), tr(stop_pid, fun() -> gen_server:stop(P1) end), tr(stop_pid_again, fun() -> gen_server:stop(P1) end),
    Named(s2, ok), tr(stop_name, fun() -> gen_server:stop(There, {shutdown, moved}, infinity) end), tr(stop_name_again, fun() -> gen_server:stop(There) end),
    P3 = S(s3, [], {exits, other}), tr(stop_other, fun() -> gen_server:stop(P3) end),
    P4 = S(s4, [], {sleeps, 400}), M4 = monitor(process, P4), tr(stop_late, fun() -> gen_server:stop(P4, normal, 100) end),
    receive {'DOWN', M4, _, _, R4} -> ev(obs, stops_still, R4) end,
    P5 = S(s5, [], ok), tr(stop_bad_time, fun() -> gen_server:stop(P5, normal, -1), ok end), ev(obs, lives, peer:call(Peer, erlang, is_process_alive, [P5])),

    P6 = Named(s6, 1),
    tr(get_state, fun() -> sys:get_state(There) end),
    tr(replace_state, fun() -> sys:replace_state(P6, fun erlang:abs/1) end),
    tr(suspend, fun() -> sys:suspend(There) end),
    tr(call_suspended, fun() -> gen_server:call(There, hello, 100) end),
    tr(change_code, fun() -> sys:change_code(There, ?MODULE, old, extra) end),
    tr(state_changed, fun() -> sys:get_state(P6) end),
    tr(resume, fun() -> sys:resume(P6) end),
    tr(call_resumed, fun() -> gen_server:call(There, hello) end),
    tr(change_code_running, fun() -> element(1, sys:change_code(P6, ?MODULE, old, extra)) end),
    tr(sys_nobody, fun() -> sys:get_state({nobody, Node}) end),
    gen_server:cast(P6, {sleep, 400}), timer:sleep(50), tr(sys_late, fun() -> sys:get_state(P6, 100) end),
    M6 = monitor(process, P6), tr(sys_terminate, fun() -> sys:terminate(There, {shutdown, done}) end),
    receive {'DOWN', M6, _, _, R6} -> ev(obs, terminated, R6) end,
    P7 = S(s7, [], ok), tr(process_info, fun() -> process_info(P7) end), tr(is_process_alive, fun() -> is_process_alive(P7) end),

    Pk = S(sk, [], ok), gen_server:cast(Pk, {sleep, 1000}), timer:sleep(50),
    spawn(fun() -> timer:sleep(200), exit(Pk, kill) end), tr(stop_killed_before_told, fun() -> gen_server:stop(Pk) end),
    Pg = S(sg, [{global, busy}], ok), global:sync(), gen_server:cast(Pg, {sleep, 1000}), timer:sleep(50),
    cut(Node, 200), tr(stop_global_cut, fun() -> gen_server:stop({global, busy}) end), pong = net_adm:ping(Node),
    Pl = element(2, gen_server:start(?MODULE, ok, [])), name(Pl, sl), gen_server:cast(Pl, {sleep, 1000}), timer:sleep(50),
    spawn(fun() -> timer:sleep(200), exit(Pl, kill) end), tr(stop_killed_before_told_here, fun() -> gen_server:stop(Pl) end),
    P8 = S(s8, [], {sleeps, 1000}), cut(Node, 200), tr(stop_told_then_cut, fun() -> gen_server:stop(P8) end),
    pong = net_adm:ping(Node),
    P9 = S(s9, [], ok), gen_server:cast(P9, {sleep, 1000}), timer:sleep(50),
    cut(Node, 200), tr(stop_cut_before_told, fun() -> gen_server:stop(P9) end),
    pong = net_adm:ping(Node),
    P10 = S(s10, [], ok), gen_server:cast(P10, {sleep, 1000}), timer:sleep(50),
    cut(Node, 200), tr(sys_cut, fun() -> sys:get_state(P10) end),
    pong = net_adm:ping(Node),

    P11 = S(s11, [{global, srv}], ok), global:sync(), tr(global_there, fun() -> gen_server:call({global, srv}, hello) end),
    peer:stop(Peer), timer:sleep(200),
    tr(stop_pid_dead_node, fun() -> gen_server:stop(P11, normal, 1000) end),
    tr(stop_name_dead_node, fun() -> gen_server:stop(There) end),
    tr(stop_global_dead_node, fun() -> gen_server:stop({global, srv}) end),
    tr(call_global_dead_node, fun() -> gen_server:call({global, srv}, hello) end),
    tr(sys_dead_node, fun() -> sys:get_state(P11) end),
    ev(obs, left, [M || M <- drain(), element(1, M) =/= 'EXIT']).

init(S) -> process_flag(trap_exit, true), {ok, S}.
handle_call(hello, _, S) -> {reply, S, S}.
handle_cast({sleep, T}, S) -> timer:sleep(T), {noreply, S}.

%% The outcome of a call: its value, or the reason of the exit without stack and arguments.
tr(Event, F) -> ev(obs, Event, node_(try F() catch exit:R -> {exit, short(R)}; error:R -> {error, short(R)} end)).
short({R, {sys, terminate, A}}) -> {R, {sys, terminate, A}};
short({R, {M, F, A}}) when is_atom(M), is_atom(F), is_list(A) -> R;
short(R) -> R.
node_(T) when is_tuple(T) -> list_to_tuple([node_(X) || X <- tuple_to_list(T)]);
node_(T) when is_list(T) -> [node_(X) || X <- T];
node_(T) -> case get(node) of T -> there; _ -> T end.
cut(Node, Ms) -> spawn(fun() -> timer:sleep(Ms), erlang:disconnect_node(Node) end).
load() -> {ok, ?MODULE, B} = compile:forms(forms(), []), [?MODULE, "o47", B].
forms() -> [begin {ok, T, _} = erl_scan:string(L), {ok, F} = erl_parse:parse_form(T), F end || L <- [
    "-module(" ++ atom_to_list(?MODULE) ++ ").", "-export([init/1,handle_call/3,handle_cast/2,terminate/2,code_change/3]).",
    "init(S) -> process_flag(trap_exit,true), {ok,S}.", "handle_call(hello,_,S) -> {reply,S,S}.",
    "handle_cast({sleep,T},S) -> timer:sleep(T), {noreply,S}.",
    "terminate(_,{sleeps,T}) -> timer:sleep(T); terminate(_,{exits,R}) -> exit(R); terminate(_,_) -> ok.",
    "code_change(_,S,E) -> {ok,{S,E}}."]].


%% ---------------------------------------------------------------------------
%% Harness (identical in every scenario file).
%% A trace line is  "<who> <event> <term>".  Pids print as the symbolic name
%% they were introduced under (c1#2 = second incarnation of child c1),
%% references as '$ref', stack traces as '$stack'.  Supervisor reports are part
%% of the order (the supervisor logs them itself); lines starting with "~" are
%% the other reports, sorted: their order is no part of the contract.
%% ---------------------------------------------------------------------------
main(_) ->
    Me = self(),
    ets:new(names, [named_table, public]),
    ets:new(incarnation, [named_table, public]),
    ets:new(plan, [named_table, public]),
    register(trace_log, spawn(fun() -> log_loop([], []) end)),
    logger:remove_handler(default),
    logger:add_handler(trace_h, ?MODULE, #{filter_default => log}),
    name(Me, main),
    process_flag(trap_exit, true),
    {P, R} = spawn_monitor(fun() -> name(self(), obs), run() end),
    receive
        {'DOWN', R, process, P, normal} -> ok;
        {'DOWN', R, process, P, Why} -> ev(main, scenario_crashed, Why)
    end,
    timer:sleep(300),                      % let the last reports come in
    trace_log ! {dump, Me},
    receive {lines, Ls, Rs} ->
        [io:put_chars([L, $\n]) || L <- Ls],
        [io:put_chars(["~ ", L, $\n]) || L <- lists:sort(Rs)]
    end,
    halt(0).

%% Ordered events, and reports whose order is not part of the contract.
log_loop(Acc, Rep) ->
    receive
        {ev, From, Ref, Line} -> From ! {Ref, ok}, log_loop([Line | Acc], Rep);
        {report, Line} -> log_loop(Acc, [Line | Rep]);
        {dump, From} -> From ! {lines, lists:reverse(Acc), Rep}
    end.

%% Synchronous: the event is on record before the caller goes on.
ev(Who, Event, Term) ->
    Ref = make_ref(),
    trace_log ! {ev, self(), Ref, line(Who, Event, Term)},
    receive {Ref, ok} -> ok end.

line(Who, Event, Term) ->
    unicode:characters_to_list(io_lib:format("~ts ~ts ~0tp", [str(Who), str(Event), clean(Term)])).
report(Event, Term) -> trace_log ! {report, line(log, Event, Term)}, ok.

str(X) when is_atom(X) -> atom_to_list(X);
str(X) when is_pid(X) -> str(clean(X));
str(X) -> io_lib:format("~0tp", [X]).

name(Pid, N) -> ets:insert(names, {Pid, N}), N.

%% The label for the next incarnation of Id: c1#1, c1#2, ...
next(Id) ->
    N = ets:update_counter(incarnation, Id, 1, {Id, 0}),
    L = list_to_atom(atom_to_list(Id) ++ "#" ++ integer_to_list(N)),
    name(self(), L), {L, N}.

clean(P) when is_pid(P) ->
    case ets:lookup(names, P) of [{_, N}] -> N; [] -> '$pid' end;
clean(R) when is_reference(R) -> '$ref';
clean(F) when is_function(F) -> '$fun';
clean([{M, F, A, L} | _]) when is_atom(M), is_atom(F), is_list(L),
                               (is_integer(A) orelse is_list(A)) -> '$stack';
clean([H | T]) -> [clean(H) | clean(T)];
clean(T) when is_tuple(T) -> list_to_tuple([clean(X) || X <- tuple_to_list(T)]);
clean(M) when is_map(M) -> maps:map(fun(_, V) -> clean(V) end, M);
clean(X) -> X.

%% Reports seen by the logger, as trace lines.
log(#{msg := {report, #{label := {supervisor, progress}}}}, _) -> ok;
log(#{msg := {report, #{label := {supervisor, Ctx}, report := R}}}, _) ->
    Off = proplists:get_value(offender, R),
    ev(log, supervisor_report, {Ctx, proplists:get_value(id, Off),
                                proplists:get_value(reason, R)});
log(#{msg := {report, #{label := {gen_server, terminate}, name := N, reason := R}}}, _) ->
    report(gen_server_terminate, {N, R});
log(#{msg := {report, #{label := {proc_lib, crash}, report := [I | _]}}}, _) ->
    {C, R, _} = proplists:get_value(error_info, I),
    report(crash_report, {proplists:get_value(pid, I), C, R});
log(#{msg := {string, S}}, _) -> report(string, lists:flatten(S));
log(#{msg := {report, #{label := L}}}, _) -> report(report, L);
log(#{msg := {F, A}}, _) when is_list(F) ->
    report(message, lists:flatten(io_lib:format(F, clean(A))));
log(_, _) -> ok.

drain() -> receive M -> [clean(M) | drain()] after 50 -> [] end.
wait(F) -> wait(F, 400).
wait(_, 0) -> timeout;
wait(F, N) -> case F() of true -> ok; _ -> timer:sleep(5), wait(F, N - 1) end.
